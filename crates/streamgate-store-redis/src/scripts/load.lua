-- KEYS[1]: a record. Answers its value (nil where there is none) and the server's time.
-- Writing nothing is still a write: a replica refuses it, and so never answers what may be old.
redis.call('SETRANGE', KEYS[1], 0, '')
local time = redis.call('TIME')
return {redis.call('GET', KEYS[1]), time[1], time[2]}
