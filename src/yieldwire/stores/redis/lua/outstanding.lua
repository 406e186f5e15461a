-- outstanding: the deliveries about a run, each with the seconds until its next try, if there is one
-- ARGV: 3 the run
local found = {}
for _, member in ipairs(redis.call('SMEMBERS', P .. 'told:' .. ARGV[3])) do
  local fields = redis.call('HGETALL', P .. 'delivery:' .. member)
  local due = redis.call('ZSCORE', P .. 'due', member)
  if #fields > 0 then
    found[#found + 1] = { fields, due and string.format('%.6f', due - mono) or '' }
  end
end
return found
