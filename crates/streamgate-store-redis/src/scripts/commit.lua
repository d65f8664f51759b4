-- KEYS[1]: a record, 8 bytes of version before its bytes.
-- ARGV[1]: the version it must have, empty for none. ARGV[2]: what it becomes, version first, empty
-- to take it away. ARGV[3]: when it goes by itself, in ms since 1970, empty for never. ARGV[4]: the time
-- by which that was decided, where it was not asked from here, in ms since 1970; ARGV[5]: how far this
-- server may be past it.
-- Answers 1 where it was done, or, where the version or the time is another, what the load script answers.
local value = redis.call('GET', KEYS[1])
local version = value and string.sub(value, 1, 8) or ''
-- A commit that comes a second time, through a proxy or a redirection, was done the first time.
if ARGV[2] ~= '' and version == string.sub(ARGV[2], 1, 8) then
    return 1
end
local refused = version ~= ARGV[1]
local time
if refused or ARGV[4] ~= '' then
    time = redis.call('TIME')
end
if ARGV[4] ~= '' then
    local past = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[4]
    refused = refused or past < 0 or past > tonumber(ARGV[5])
end
if refused then
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
