-- append: continue a log, if nothing about that needs a decision
-- ARGV: run, fence, after, last, id of the entry, its time, its body
-- Who follows the run is told where it is, and a small block itself.
local run = KEYS[1] .. 'run:' .. ARGV[1]
local head = redis.call('HMGET', run, 'fence', 'status', 'seq', 'keep', 'first_seq')
if head[1] ~= ARGV[2] or head[2] ~= 'running' or head[3] ~= ARGV[3] then
  return false
end
local log = KEYS[1] .. 'log:' .. ARGV[1]
local added
if head[3] == '0' then
  added = redis.call('XADD', log, ARGV[5], ARGV[6], ARGV[7])
else
  added = redis.call('XADD', log, 'NOMKSTREAM', ARGV[5], ARGV[6], ARGV[7])
end
if not added then
  return 'lost'
end
redis.call('HSET', run, 'seq', ARGV[4])
local first_seq = head[5]
if head[4] and ARGV[4] - first_seq + 1 > tonumber(head[4]) then
  redis.call('XTRIM', log, 'MINID', '=', string.format('%.0f-0', ARGV[4] - head[4] + 1))
  first_seq = string.match(redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1][1], '%-(%d+)')
  redis.call('HSET', run, 'first_seq', first_seq)
end
local told = ARGV[4]
if #ARGV[7] <= 2048 then
  told = told .. ' ' .. first_seq .. ' ' .. ARGV[5] .. ' ' .. ARGV[6] .. '\n' .. ARGV[7]
end
redis.pcall('PUBLISH', KEYS[1] .. 'wake:' .. ARGV[1], told)
return first_seq
