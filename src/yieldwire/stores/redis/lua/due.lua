-- due: the runs that time has something to do with, and the end of what is kept for a time
-- ARGV: 3 index, 4 most, 5 seconds for which revocations are kept
local old = string.format('%.6f', mono - ARGV[5])
redis.call('ZREMRANGEBYSCORE', P .. 'refused', '-inf', mono)
while true do
  local oldest = redis.call('XRANGE', P .. 'revocations', '-', '+', 'COUNT', 1)[1]
  if not oldest or tonumber(oldest[2][4]) >= tonumber(old) then
    break
  end
  redis.call('XDEL', P .. 'revocations', oldest[1])
end
return redis.call('ZRANGEBYSCORE', P .. ARGV[3], '-inf', '(' .. mono, 'LIMIT', 0, ARGV[4])
