-- KEYS[1]: a record, whose name is also the channel of its user. ARGV[1]: what is published there.
-- ARGV[2]: the channel of its tenant, if somebody listens to it.
local told = redis.pcall('SPUBLISH', KEYS[1], ARGV[1])
if type(told) == 'table' and string.find(told.err or '', 'nknown', 1, true) then
    redis.call('PUBLISH', KEYS[1], ARGV[1])
end
if ARGV[2] then
    redis.call('PUBLISH', ARGV[2], KEYS[1] .. '\0' .. ARGV[1])
end
return 1
