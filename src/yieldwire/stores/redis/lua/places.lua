-- places: how many runs wait in a queue, and where some of them are
-- ARGV: 3 queue, 4 ff.: runs
-- Returns each group of runs that wait, with their count and the number of its first run; since when
-- the first of all has waited; the place of each run that is taken; and of those that were asked
-- about and wait: run, group, number, and how many of its caller and priority are before it.
line_up_due()
local groups, kinds, oldest = {}, {}, nil
local function kind_of(group)
  local parts = cjson.decode(group)
  return parts[2] .. ' ' .. parts[3]
end
for _, group in ipairs(redis.call('SMEMBERS', P .. 'groups:' .. ARGV[3])) do
  local waiting = P .. 'waiting:' .. ARGV[3] .. ':' .. group
  local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
  if first[1] then
    groups[#groups + 1] = {group, redis.call('ZCARD', waiting), first[2]}
    local kind = kind_of(group)
    kinds[kind] = kinds[kind] or {}
    table.insert(kinds[kind], waiting)
    if not oldest or first[2] - oldest[2] < 0 then
      oldest = first
    end
  end
end
local since = oldest and redis.call('HMGET', run_key(oldest[1]), 'created_at', 'not_before') or {}
local places = {}
for n = 4, #ARGV do
  local run = redis.call('HMGET', run_key(ARGV[n]), 'queue', 'group')
  local number = run[1] == ARGV[3]
    and redis.call('ZSCORE', P .. 'waiting:' .. run[1] .. ':' .. run[2], ARGV[n])
  if number then
    local rank = 0
    for _, waiting in ipairs(kinds[kind_of(run[2])]) do
      rank = rank + redis.call('ZCOUNT', waiting, '-inf', '(' .. number)
    end
    places[#places + 1] = {ARGV[n], run[2], number, rank}
  end
end
return {groups, since, redis.call('HVALS', P .. 'taken'), places}
