-- Where a store's feed stands. It begins anew where there is none, and in a server that has been restarted or promoted
-- since: the last events may be lost there.
-- KEYS: the position, the entries. ARGV: the epoch to begin with, the position's life in seconds.
local function position()
  local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  local known = redis.call('HMGET', KEYS[1], 'server', 'epoch', 'sequence')
  if known[1] ~= server then
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[1], 'server', server, 'epoch', ARGV[1], 'sequence', 0)
    known = {server, ARGV[1], 0}
  end
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return known[2], tonumber(known[3])
end

