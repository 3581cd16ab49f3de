-- Keep a value that was read while a generation was current, unless it has been dropped since.
-- KEYS: the generation, the value. ARGV: the generation ('0' if there was none), the value, its life in seconds, a
-- generation to begin with if there is still none, its life in seconds.
local generation = redis.call('GET', KEYS[1])
if not generation and ARGV[1] == '0' then
  generation = ARGV[4]
  redis.call('SET', KEYS[1], generation, 'EX', ARGV[5])
elseif generation ~= ARGV[1] then
  return
end
redis.call('SET', KEYS[2], generation .. '\n' .. ARGV[2], 'EX', ARGV[3])
