-- settle: record what became of a try of a delivery
-- ARGV: 3 the delivery, 4 its run, 5 tries, 6 'delivered', 'again' or 'dead', 7 failure,
-- 8 seconds until the next try, 9 most dead letters
local member = ARGV[3]
local key = P .. 'delivery:' .. member
local function drop(id, of)
  redis.call('UNLINK', P .. 'delivery:' .. id)
  redis.call('ZREM', P .. 'due', id)
  redis.call('ZREM', P .. 'dead', id)
  redis.call('SREM', P .. 'told:' .. of, id)
end
if ARGV[6] == 'delivered' then
  drop(member, ARGV[4])
  return
end
if redis.call('HGET', key, 'tries') ~= ARGV[5] then
  return
end
redis.call('HSET', key, 'failure', ARGV[7])
if ARGV[6] == 'again' then
  redis.call('ZADD', P .. 'due', later(ARGV[8]), member)
  redis.call('ZREM', P .. 'dead', member)
  return
end
redis.call('ZADD', P .. 'dead', redis.call('HINCRBY', P .. 'about', 'dead', 1), member)
redis.call('ZREM', P .. 'due', member)
while redis.call('ZCARD', P .. 'dead') > tonumber(ARGV[9]) do
  local oldest = redis.call('ZRANGE', P .. 'dead', 0, 0)[1]
  drop(oldest, redis.call('HGET', P .. 'delivery:' .. oldest, 'run_id') or '')
end
