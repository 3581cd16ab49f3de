-- Where a store's feed stands, and what came after a position.
-- KEYS: the position, the entries. ARGV: the epoch to begin with, the position's life in seconds; how many seconds entries
-- are kept; the epoch and the sequence to read after ('' for neither).
-- Returns the epoch, the sequence, 1 if what came after can be told, and it.
local epoch, sequence = position()
if ARGV[4] == '' then
  return {epoch, sequence, 1, {}}
end
local from = tonumber(ARGV[5])
if ARGV[4] ~= epoch or from > sequence then
  return {epoch, sequence, 0, {}}
end
local oldest = redis.call('TIME')[1] - ARGV[3]
local first = redis.call('LINDEX', KEYS[2], 0)
while first and tonumber(string.match(first, '^[^\n]*\n[^\n]*\n(%d+)\n')) <= oldest do
  redis.call('LPOP', KEYS[2])
  first = redis.call('LINDEX', KEYS[2], 0)
end
if from < sequence - redis.call('LLEN', KEYS[2]) then
  return {epoch, sequence, 0, {}}
end
if from == sequence then
  return {epoch, sequence, 1, {}}
end
return {epoch, sequence, 1, redis.call('LRANGE', KEYS[2], from - sequence, -1)}
