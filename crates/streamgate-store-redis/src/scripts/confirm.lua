-- KEYS[1]: a record. ARGV[1]: the version it must have, empty for none. Writes what is there
-- already, so that there is a write behind all that was seen, and replicas can be waited for.
-- Answers 1, or, where the version is another, what the load script answers.
local value = redis.call('GET', KEYS[1])
local version = value and string.sub(value, 1, 8) or ''
if version ~= ARGV[1] then
    local time = redis.call('TIME')
    return {value, time[1], time[2]}
end
if not value then
    -- First, because behind a first write of a script the limit of memory is not asked.
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[1], '')
    redis.call('DEL', KEYS[1])
    return 1
end
local written = redis.pcall('SETRANGE', KEYS[1], 0, version)
if type(written) == 'table' then
    if not string.find(written.err or '', 'OOM', 1, true) then
        redis.call('SETRANGE', KEYS[1], 0, version)
    end
    -- The memory is full: the record is taken away and written as it was, with what is left of its
    -- time.
    local left = redis.call('PTTL', KEYS[1])
    local time = redis.call('TIME')
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[1], value)
    if left >= 0 then
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', now + left))
    end
end
return 1
