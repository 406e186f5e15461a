-- step: write a step in a run's life, if the run is still as it was when the step was decided
-- ARGV: 3 run, 4 version, 5 seq or '': any, 6 the index in which it must be due or '', 7 lease in
-- seconds, '' for none, 'keep' or 'queue', 8 whose quota, 9 'open', 'closing' or 'ended', 10 retention,
-- 11 seconds after which an ended run expires if nobody purges it, 12 last seq or '': no block,
-- 13 id of the entry, 14 its time, 15 its body, 16 number of fields, then fields and values, then
-- the deliveries
local id = ARGV[3]
local run, log = run_key(id), P .. 'log:' .. id
local head = redis.call('HMGET', run, 'version', 'seq', 'feed', 'keep', 'first_seq', 'key',
  'queue', 'group', 'place')
if not head[1] then
  return {'missing'}
end
if head[1] ~= ARGV[4] or (ARGV[5] ~= '' and head[2] ~= ARGV[5]) then
  return {'changed'}
end
if ARGV[6] ~= '' then
  local due = redis.call('ZSCORE', P .. ARGV[6], id)
  if not due or tonumber(due) >= tonumber(mono) then
    return {'early'}
  end
end
local fields = tonumber(ARGV[16])
redis.call('HSET', run, 'version', head[1] + 1, unpack(ARGV, 17, 16 + 2 * fields))
local first_seq = head[5]
if ARGV[12] ~= '' then
  redis.call('XADD', log, ARGV[13], ARGV[14], ARGV[15])
  if head[4] and ARGV[12] - first_seq + 1 > tonumber(head[4]) then
    redis.call('XTRIM', log, 'MINID', '=', string.format('%.0f-0', ARGV[12] - head[4] + 1))
    first_seq = string.match(redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1][1], '%-(%d+)')
  end
  redis.call('HSET', run, 'seq', ARGV[12], 'first_seq', first_seq)
end
if ARGV[9] == 'ended' or ARGV[7] == '' or ARGV[7] == 'queue' then
  redis.call('ZREM', P .. 'leases', id)
elseif ARGV[7] ~= 'keep' then
  redis.call('ZADD', P .. 'leases', later(ARGV[7]), id)
end
if head[7] and ARGV[9] == 'ended' then
  leave_line(id, head[7], head[8])
  redis.call('HDEL', P .. 'taken', id)
elseif head[7] and ARGV[7] == 'queue' then
  line_up(id)
elseif head[7] and ARGV[7] ~= 'keep' then
  leave_line(id, head[7], head[8])
  redis.call('HSET', P .. 'taken', id, head[9])
end
if ARGV[9] ~= 'open' then
  close_to_readers(id, head[3])
end
if ARGV[9] == 'ended' then
  redis.call('ZREM', P .. 'live', id)
  redis.call('HDEL', P .. 'quota:' .. ARGV[8], id)
  redis.call('ZADD', P .. 'expiry', later(ARGV[10]), id)
  for _, kind in ipairs({'run:', 'log:', 'inbox:', 'marks:', 'saved:', 'readers:'}) do
    redis.call('EXPIRE', P .. kind .. id, ARGV[11])
  end
  if head[6] then
    redis.call('EXPIRE', P .. 'key:' .. head[6], ARGV[11])
  end
end
post(17 + 2 * fields)
if ARGV[9] == 'ended' then
  publish(id, 'end')
elseif ARGV[12] ~= '' then
  publish(id, ARGV[12])
end
return {'ok', first_seq}
