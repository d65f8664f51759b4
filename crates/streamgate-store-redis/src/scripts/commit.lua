-- KEYS[1]: a record, 8 bytes of version before its bytes. ARGV[1]: the version it must have, empty
-- for none. ARGV[2]: what it becomes, version first, empty to take it away. ARGV[3]: when it goes
-- by itself, in ms since 1970, empty for never. ARGV[4]: by which time that was decided, in ms
-- since 1970, empty where this server was asked. It must have reached that time, and be half a
-- second past it at most: slots and leases are exact to that. ARGV[5]: not empty where it is done
-- although the server's memory is full. ARGV[6]: what other nodes are told on the channel of the
-- user, which has the name of the record; missing where it is nothing. ARGV[7]: the channel of the
-- tenant, missing where nobody listens to it. Answers 1 where it was done, or the time in ms where it was
-- looked at; or, where the version or the time is another, what the load script answers.
local value = redis.call('GET', KEYS[1])
local version = value and string.sub(value, 1, 8) or ''
-- A commit that comes a second time was done the first time. What is there is written once more, so
-- that replicas can be waited for.
if ARGV[2] ~= '' and version == string.sub(ARGV[2], 1, 8) then
    if ARGV[5] == '' then
        redis.call('SETRANGE', KEYS[1], 0, version)
    else
        -- It must not be refused where the first time was not.
        redis.call('DEL', KEYS[1])
        redis.call('SET', KEYS[1], ARGV[2])
        if ARGV[3] ~= '' then
            redis.call('PEXPIREAT', KEYS[1], ARGV[3])
        end
    end
    return 1
end
local time
local done = 1
local refused = version ~= ARGV[1]
if ARGV[4] ~= '' then
    time = redis.call('TIME')
    done = time[1] * 1000 + math.floor(time[2] / 1000)
    local past = done - ARGV[4]
    refused = refused or past < 0 or past > 500
end
if refused then
    time = time or redis.call('TIME')
    return {value, time[1], time[2]}
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
else
    local written = ARGV[5] ~= '' and redis.pcall('SET', KEYS[1], ARGV[2])
    if not written or written.err then
        -- Behind a first write of a script the limit of memory is not asked, on any version of
        -- Redis and Valkey; taking the record away is a write that a full memory allows.
        if written and string.find(written.err, 'OOM', 1, true) then
            redis.call('DEL', KEYS[1])
        end
        redis.call('SET', KEYS[1], ARGV[2])
    end
    if ARGV[3] ~= '' then
        redis.call('PEXPIREAT', KEYS[1], ARGV[3])
    end
end
if ARGV[6] then
    -- What cannot be told is no error: it is done. Redis 6 knows no sharded channels.
    local told = redis.pcall('SPUBLISH', KEYS[1], ARGV[6])
    if type(told) == 'table' and string.find(told.err or '', 'nknown', 1, true) then
        redis.pcall('PUBLISH', KEYS[1], ARGV[6])
    end
    if ARGV[7] then
        redis.pcall('PUBLISH', ARGV[7], KEYS[1] .. '\0' .. ARGV[6])
    end
end
return done
