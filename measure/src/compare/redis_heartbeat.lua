-- A heartbeat, for what `redis_start.lua` has written.
-- KEYS[1]: the sessions of a user. ARGV: the session, the lease in ms.
-- An error if the session holds no slot: that ends the benchmark.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) <= now then
    return redis.error_reply('REFUSED')
end
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
