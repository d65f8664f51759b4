-- A start, as teams write it who keep streams in Redis. Exact, and no more than is needed.
-- KEYS[1]: the sessions of a user, each scored by when its lease ends, in ms since 1970.
-- ARGV: the session, the lease in ms, the limit.
-- An error if no slot is free: that ends the benchmark.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- A start that is repeated because its answer was lost takes no second slot.
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    return redis.error_reply('REFUSED')
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
