-- heartbeat: renew a lease, and return why the run must be cancelled, if it must
-- ARGV: 3 run, 4 fence, 5 lease
local head = redis.call('HMGET', run_key(ARGV[3]), 'fence', 'status', 'cancel_reason')
if head[1] ~= ARGV[4] or head[2] ~= 'running' then
  return {'decide'}
end
redis.call('ZADD', P .. 'leases', later(ARGV[5]), ARGV[3])
return {'ok', head[3]}
