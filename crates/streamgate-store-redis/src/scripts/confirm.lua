-- KEYS[1]: a record. ARGV[1]: the version it must have, empty for none.
-- Writes what is there already, so that there is a write behind all that was seen, and replicas can be
-- waited for. Answers 1, or, where the version is another, what the load script answers.
local value = redis.call('GET', KEYS[1])
local version = value and string.sub(value, 1, 8) or ''
if version ~= ARGV[1] then
    local time = redis.call('TIME')
    return {value, time[1], time[2]}
end
if value then
    redis.call('SETRANGE', KEYS[1], 0, version)
else
    redis.call('SET', KEYS[1], '')
    redis.call('DEL', KEYS[1])
end
return 1
