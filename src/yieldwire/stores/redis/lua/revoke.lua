-- revoke: record that an owner's access was revoked
-- ARGV: 3 owner, 4 the machine and its time, 5 most
local n, time = redis.call('HINCRBY', P .. 'about', 'revocations', 1), redis.call('TIME')
redis.call('XADD', P .. 'revocations', n .. '-0', 'owner', ARGV[3], 'at', mono, 'machine', ARGV[4],
  'time', time[1] .. '.' .. string.format('%06d', time[2]))
redis.call('XTRIM', P .. 'revocations', 'MAXLEN', ARGV[5])
