-- forget: delete a run with its log, key, inbox and checkpoints
-- ARGV: 3 run, 4 'due': only if its retention is over; 'now': with its deliveries
local id = ARGV[3]
local run = redis.call('HMGET', run_key(id), 'ended_at', 'key', 'owner', 'parent', 'version')
local expiry = redis.call('ZSCORE', P .. 'expiry', id)
if ARGV[4] == 'due' and (not expiry or tonumber(expiry) > tonumber(mono)) then
  return 'early'
end
if ARGV[4] == 'now' and not run[5] then
  return 'missing'
end
if ARGV[4] == 'now' and not run[1] then
  return 'alive'
end
for _, index in ipairs({'expiry', 'runs', 'live', 'leases', 'linger'}) do
  redis.call('ZREM', P .. index, id)
end
if run[5] then
  redis.call('ZREM', owner_key(run[3]), id)
end
if run[4] then
  redis.call('ZREM', P .. 'parent:' .. run[4], id)
end
if run[2] and redis.call('GET', P .. 'key:' .. run[2]) == id then
  redis.call('DEL', P .. 'key:' .. run[2])
end
for _, kind in ipairs({'run:', 'log:', 'inbox:', 'marks:', 'saved:', 'readers:'}) do
  redis.call('UNLINK', P .. kind .. id)
end
if ARGV[4] == 'now' then
  for _, member in ipairs(redis.call('SMEMBERS', P .. 'told:' .. id)) do
    redis.call('UNLINK', P .. 'delivery:' .. member)
    redis.call('ZREM', P .. 'due', member)
    redis.call('ZREM', P .. 'dead', member)
  end
  redis.call('UNLINK', P .. 'told:' .. id)
end
publish(id, 'end')
return run[5] and 'ok' or 'missing'
