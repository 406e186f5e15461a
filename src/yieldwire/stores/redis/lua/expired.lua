-- expired: runs past their retention
-- ARGV: 3 most
return redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', mono, 'LIMIT', 0, ARGV[3])
