-- deliver: claim the deliveries that are due longest
-- ARGV: 3 most, 4 lease, 5 ff.: URLs whose deliveries are not claimed
local without, taken, offset = {}, {}, 0
for n = 5, #ARGV do
  without[ARGV[n]] = true
end
repeat
  local due = redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', mono, 'LIMIT', offset, 100)
  offset = offset + #due
  for _, member in ipairs(due) do
    if #taken < tonumber(ARGV[3]) and not without[string.match(member, ' (.*)')] then
      taken[#taken + 1] = member
    end
  end
until #due < 100 or #taken >= tonumber(ARGV[3])
local deliveries = {}
for _, member in ipairs(taken) do
  local key = P .. 'delivery:' .. member
  if redis.call('EXISTS', key) == 1 then
    redis.call('HINCRBY', key, 'tries', 1)
    redis.call('ZADD', P .. 'due', later(ARGV[4]), member)
    deliveries[#deliveries + 1] = redis.call('HGETALL', key)
  else
    redis.call('ZREM', P .. 'due', member)
  end
end
return deliveries
