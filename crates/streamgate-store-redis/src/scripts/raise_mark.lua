-- KEYS[1]: the format mark. ARGV[1]: what it becomes, unless it is higher already. Answers the mark
-- that stands then, as the load script answers a record. It is written in either case, so that
-- replicas can be waited for.
local mark = redis.call('GET', KEYS[1])
if not mark or tonumber(mark) < tonumber(ARGV[1]) then
    mark = ARGV[1]
end
local written = redis.pcall('SET', KEYS[1], mark)
if written.err then
    -- Behind a first write of a script the limit of memory is not asked. Any other error comes again.
    if string.find(written.err, 'OOM', 1, true) then
        redis.call('DEL', KEYS[1])
    end
    redis.call('SET', KEYS[1], mark)
end
local time = redis.call('TIME')
return {mark, time[1], time[2]}
