-- KEYS[1]: the format mark. ARGV[1]: what it becomes, unless it is that or higher. Answers 1.
local mark = redis.call('GET', KEYS[1])
if not mark or tonumber(mark) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1])
end
return 1
