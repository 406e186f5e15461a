-- save: keep a checkpoint, if nothing about that needs a decision
-- ARGV: 3 run, 4 fence, 5 name, 6 data, 7 seq or ''
local run = run_key(ARGV[3])
local head = redis.call('HMGET', run, 'fence', 'status', 'seq')
if head[1] ~= ARGV[4] or head[2] ~= 'running'
    or (ARGV[7] ~= '' and tonumber(ARGV[7]) > tonumber(head[3])) then
  return 'decide'
end
redis.call('HSET', P .. 'saved:' .. ARGV[3], ARGV[5], ARGV[6])
if ARGV[7] ~= '' then
  redis.call('HSET', run, 'saved_seq', ARGV[7])
  redis.call('HINCRBY', run, 'version', 1)
end
return 'ok'
