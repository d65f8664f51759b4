-- KEYS[1]: a record, 8 bytes of version before its bytes.
-- ARGV[1]: the version it must have, empty for none. ARGV[2]: what it becomes, version first, empty
-- to take it away. ARGV[3]: when it goes by itself, in ms since 1970, empty for never.
-- Answers 1 where it was done, or, where the version is another, what the load script answers.
local value = redis.call('GET', KEYS[1])
local version = value and string.sub(value, 1, 8) or ''
-- A commit that comes a second time, through a proxy or a redirection, was done the first time.
if ARGV[2] ~= '' and version == string.sub(ARGV[2], 1, 8) then
    return 1
end
if version ~= ARGV[1] then
    local time = redis.call('TIME')
    return {value, time[1], time[2]}
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[2])
    if ARGV[3] ~= '' then
        redis.call('PEXPIREAT', KEYS[1], ARGV[3])
    end
end
return 1
