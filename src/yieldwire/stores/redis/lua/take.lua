-- take: give a run that waits to a worker, if nothing was taken since the line was looked at
-- ARGV: 3 run, 4 how many were taken, 5 lease
local id = ARGV[3]
local run = redis.call('HMGET', run_key(id), 'queue', 'group', 'place')
if (redis.call('HGET', P .. 'about', 'takes') or '0') ~= ARGV[4] or not run[1]
    or not redis.call('ZSCORE', P .. 'waiting:' .. run[1] .. ':' .. run[2], id) then
  return false
end
redis.call('HINCRBY', P .. 'about', 'takes', 1)
leave_line(id, run[1], run[2])
redis.call('HSET', P .. 'taken', id, run[3])
redis.call('ZADD', P .. 'leases', later(ARGV[5]), id)
return redis.call('HGETALL', run_key(id))
