-- create: create a run, or find the one that its key or its feed has
-- ARGV: 3 run, 4 lease, 'queue' or '': none, 5 linger or '', 6 key or '', 7 fingerprint, 8 feed or
-- '', 9 limit of the action or '', 10 limit of the caller or '', 11 whose quota, 12 action, 13 how
-- many seconds a caller has to begin to read, 14 'claimed' or '', 15 ff.: fields and values
local function arrival(linger) -- for how long a run counts as read
  return math.max(0, ARGV[13] - (tonumber(linger) or 0))
end
local id, key, feed = ARGV[3], ARGV[6], ARGV[8]
if key ~= '' then
  local known = redis.call('GET', P .. 'key:' .. key)
  if known then
    return {'known', known, redis.call('HGETALL', run_key(known))}
  end
  if redis.call('ZSCORE', P .. 'refused', key) then
    return {'refused'}
  end
end
if feed ~= '' then
  local known = redis.call('GET', P .. 'feed:' .. feed)
  local run = known and redis.call('HMGET', run_key(known), 'read_until', 'lingers')
  if run and run[1] then
    local read_until = later(arrival(run[2]))
    if read_until - run[1] > 0 then
      redis.call('HSET', run_key(known), 'read_until', read_until)
      if run[2] then
        redis.call('ZADD', P .. 'linger', 'XX', 'GT', later(arrival(run[2]) + run[2]), known)
      end
    end
    return {'feed', known, redis.call('HGETALL', run_key(known))}
  end
end
local quota = P .. 'quota:' .. ARGV[11]
local function is_over(limit, count)
  return limit ~= '' and count >= tonumber(limit)
end
if ARGV[9] ~= '' or ARGV[10] ~= '' then
  local same, every, live = 0, 0, redis.call('HGETALL', quota)
  for at = 1, #live, 2 do
    every = every + 1
    if live[at + 1] == ARGV[12] then
      same = same + 1
    end
  end
  if is_over(ARGV[9], same) or is_over(ARGV[10], every) then
    for at = 1, #live, 2 do
      if redis.call('EXISTS', run_key(live[at])) == 0 then -- the server has evicted it
        redis.call('HDEL', quota, live[at])
        every = every - 1
        if live[at + 1] == ARGV[12] then
          same = same - 1
        end
      end
    end
  end
  if is_over(ARGV[9], same) or is_over(ARGV[10], every) then
    return {'limit', same, every}
  end
end
local n = redis.call('HINCRBY', P .. 'about', 'runs', 1)
redis.call('HSET', run_key(id), 'created_at', now, 'read_until', later(arrival(ARGV[5])),
  unpack(ARGV, 15))
if ARGV[14] == 'claimed' then
  redis.call('HSET', run_key(id), 'status', 'running', 'attempt', 1, 'started_at', now,
    'fence', string.format('%.0f', math.floor(1000 * now)))
end
local more = redis.call('HMGET', run_key(id), 'owner', 'parent', 'not_before')
redis.call('ZADD', P .. 'runs', n, id)
redis.call('ZADD', P .. 'live', n, id)
redis.call('ZADD', owner_key(more[1]), n, id)
if more[2] then
  redis.call('ZADD', P .. 'parent:' .. more[2], n, id)
end
redis.call('HSET', quota, id, ARGV[12])
if ARGV[4] == 'queue' then
  line_up(id)
elseif ARGV[4] ~= '' then -- one that starts later is handed out at its time
  local seconds = more[3] and math.max(0, more[3] - now) or ARGV[4]
  redis.call('ZADD', P .. 'leases', later(seconds), id)
end
if ARGV[5] ~= '' then
  redis.call('ZADD', P .. 'linger', later(arrival(ARGV[5]) + ARGV[5]), id)
end
if key ~= '' then
  redis.call('SET', P .. 'key:' .. key, id)
end
if feed ~= '' then
  redis.call('SET', P .. 'feed:' .. feed, id)
end
return {'new', now}
