-- refuse: find the run of an idempotency key, or refuse the key
-- ARGV: 3 key, 4 seconds, 5 most
local known = redis.call('GET', P .. 'key:' .. ARGV[3])
if known then
  return {'known', known, redis.call('HGETALL', run_key(known))}
end
redis.call('ZADD', P .. 'refused', 'GT', later(ARGV[4]), ARGV[3])
redis.call('ZADD', P .. 'refusals', 'NX', redis.call('HINCRBY', P .. 'about', 'refusals', 1), ARGV[3])
while redis.call('ZCARD', P .. 'refusals') > tonumber(ARGV[5]) do
  redis.call('ZREM', P .. 'refused', redis.call('ZPOPMIN', P .. 'refusals')[1])
end
return {'refused'}
