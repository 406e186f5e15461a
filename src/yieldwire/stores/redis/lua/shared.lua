-- shared: what every script but `append` begins with
-- KEYS[1]: the prefix of every key. ARGV[1], ARGV[2]: the time for people and the time for
-- durations, in seconds; empty: the server's clock.
local P, now, mono = KEYS[1], ARGV[1], ARGV[2]
if now == '' then
  local time = redis.call('TIME')
  now = time[1] .. '.' .. string.format('%06d', time[2])
  mono = now
end

local function later(seconds)
  return string.format('%.6f', mono + seconds)
end

local function run_key(id)
  return P .. 'run:' .. id
end

-- Processes that follow the run look again. Never an error, as there is nothing to undo it with.
local function publish(id, what)
  redis.pcall('PUBLISH', P .. 'wake:' .. id, what)
end

local function owner_key(owner)
  return owner and (P .. 'owner:' .. owner) or (P .. 'ownerless')
end

-- Nobody joins the run as its feed's, and no sweep stops it for a lack of readers.
local function close_to_readers(id, feed)
  redis.call('ZREM', P .. 'linger', id)
  if feed and redis.call('GET', P .. 'feed:' .. feed) == id then
    redis.call('DEL', P .. 'feed:' .. feed)
  end
end

-- A queue's runs wait in groups, of one action, caller and priority, in the order of their creation.
local function line_up(id)
  local run = redis.call('HMGET', run_key(id), 'queue', 'group', 'not_before')
  redis.call('HDEL', P .. 'taken', id)
  if not run[1] then
    return -- the server has evicted it
  end
  if run[3] and run[3] - now > 0 then
    redis.call('ZADD', P .. 'delayed', run[3], id)
    return
  end
  redis.call('ZADD', P .. 'waiting:' .. run[1] .. ':' .. run[2],
    redis.call('ZSCORE', P .. 'runs', id), id)
  redis.call('SADD', P .. 'groups:' .. run[1], run[2])
  publish('queue', redis.call('HINCRBY', run_key('queue'), 'seq', 1))
end

-- Those whose time has come join their lines.
local function line_up_due()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'delayed', '-inf', now)) do
    redis.call('ZREM', P .. 'delayed', id)
    line_up(id)
  end
end

local function leave_line(id, queue, group)
  redis.call('ZREM', P .. 'delayed', id)
  redis.call('ZREM', P .. 'waiting:' .. queue .. ':' .. group, id)
end

-- Adds the deliveries in ARGV from `at`: their number, then the fields of each.
local function post(at)
  for n = 1, ARGV[at] do
    local first = at + 1 + (n - 1) * 6
    local id, url, run_id = ARGV[first], ARGV[first + 1], ARGV[first + 2]
    local member = id .. ' ' .. url
    local key = P .. 'delivery:' .. member
    if redis.call('EXISTS', key) == 0 then
      redis.call('HSET', key, 'id', id, 'url', url, 'run_id', run_id, 'owner', ARGV[first + 3],
        'body', ARGV[first + 4], 'at', ARGV[first + 5], 'tries', 0)
      redis.call('ZADD', P .. 'due', mono, member)
      redis.call('SADD', P .. 'told:' .. run_id, member)
    end
  end
end
