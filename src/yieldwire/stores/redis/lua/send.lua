-- send: accept a message to a run, if nothing about that needs a decision
-- ARGV: 3 run, 4 key or '', 5 question or '', 6 most, 7 most bytes, 8 '1' for a timeout, 9 bytes
-- of its data, 10 the message
local id = ARGV[3]
local run, box, marks = run_key(id), P .. 'inbox:' .. id, P .. 'marks:' .. id
local head = redis.call('HMGET', run, 'version', 'ended_at', 'messages', 'inbox_count', 'inbox_bytes')
if not head[1] then
  return {'missing'}
end
local last = tonumber(head[3] or 0)
local count, size = tonumber(head[4] or 0), tonumber(head[5] or 0)
local function marked(name)
  local number = name ~= '' and redis.call('HGET', marks, name)
  return number and {number, redis.call('LINDEX', box, number - 1)}
end
local known, answer = marked(ARGV[4]), marked(ARGV[5])
local is_full = count >= tonumber(ARGV[6]) or size + ARGV[9] > tonumber(ARGV[7])
if known or answer or head[2] or (is_full and ARGV[8] == '0') then
  return {'decide', known, answer, last, count, size, head[2] and 1 or 0}
end
last = last + 1
redis.call('RPUSH', box, now .. '\n' .. ARGV[10])
for at = 4, 5 do
  if ARGV[at] ~= '' then
    redis.call('HSET', marks, ARGV[at], last)
  end
end
redis.call('HSET', run, 'messages', last)
if ARGV[8] == '0' then
  redis.call('HSET', run, 'inbox_count', count + 1, 'inbox_bytes', size + ARGV[9])
end
publish(id, 'm' .. last)
return {'ok', last, now}
