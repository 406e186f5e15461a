-- hold: a reader is present for some seconds; 0: it has left
-- ARGV: 3 run, 4 reader, 5 seconds
local id, readers = ARGV[3], P .. 'readers:' .. ARGV[3]
local run = redis.call('HMGET', run_key(id), 'read_until', 'lingers', 'ended_at', 'feed')
if not run[1] or run[3] then
  return
end
local read_until = tonumber(run[1])
if tonumber(ARGV[5]) > 0 then
  redis.call('ZADD', readers, later(ARGV[5]), ARGV[4])
else
  redis.call('ZREM', readers, ARGV[4])
  if not run[4] or mono - read_until > 0 then -- somebody else can just have joined a feed
    read_until = tonumber(mono)
    redis.call('HSET', run_key(id), 'read_until', mono)
  end
end
if run[2] then
  local last = redis.call('ZREVRANGE', readers, 0, 0, 'WITHSCORES')[2]
  if last and tonumber(last) > read_until then
    read_until = tonumber(last)
  end
  redis.call('ZADD', P .. 'linger', 'XX', string.format('%.6f', read_until + run[2]), id)
end
