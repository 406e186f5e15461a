-- line: who waits in some queues, and who was taken
-- ARGV: 3 ff.: queues
-- Returns how many runs were taken and queued so far, the place of each that is taken, and for
-- each group of runs that wait: its name, the number of its first run and that run.
line_up_due()
local groups = {}
for n = 3, #ARGV do
  for _, group in ipairs(redis.call('SMEMBERS', P .. 'groups:' .. ARGV[n])) do
    local waiting = P .. 'waiting:' .. ARGV[n] .. ':' .. group
    local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
    while first[1] and redis.call('EXISTS', run_key(first[1])) == 0 do -- the server has evicted it
      redis.call('ZREM', waiting, first[1])
      first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
    end
    if first[1] then
      groups[#groups + 1] = {group, first[2], first[1]}
    else
      redis.call('SREM', P .. 'groups:' .. ARGV[n], group)
    end
  end
end
return {redis.call('HGET', P .. 'about', 'takes') or '0', redis.call('HGET', run_key('queue'), 'seq')
  or '0', redis.call('HVALS', P .. 'taken'), groups}
