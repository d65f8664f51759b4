-- KEYS[1]: a record. Answers its value (nil where there is none) and the server's time. Writing
-- nothing is still a write: a replica refuses it, and so never answers what may be old. A primary
-- whose memory is full refuses it as well, as the last of its reasons not to write: what it has is
-- current.
local written = redis.pcall('SETRANGE', KEYS[1], 0, '')
if type(written) == 'table' and not string.find(written.err or '', 'OOM', 1, true) then
    redis.call('SETRANGE', KEYS[1], 0, '')
end
local time = redis.call('TIME')
return {redis.call('GET', KEYS[1]), time[1], time[2]}
