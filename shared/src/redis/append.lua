-- Add events to a store's feed, each once and nothing out of date, and tell whoever listens.
-- KEYS: the position, the entries, the channel.
-- ARGV: the epoch to begin with, the life in seconds of the position and of what is remembered of events; events kept, for
-- how many seconds; then for each event: a key that is set once it has been seen ('' if its subject tells), its subject's
-- key ('' if it has none) and version, its session's key ('' if it belongs to none), the entry.
-- Returns how many were added.
local epoch, sequence = position()
local now = redis.call('TIME')[1]
local added = 0
for at = 5, #ARGV, 5 do
  local seen, subject, version, session = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local news = true
  if seen ~= '' then
    news = redis.call('SET', seen, 1, 'NX', 'EX', ARGV[2]) ~= false
  end
  if session ~= '' then
    news = news and redis.call('EXISTS', session) == 0
  end
  if news and subject ~= '' then
    local newest = redis.call('GET', subject)
    news = not newest or tonumber(version) > tonumber(newest)
    if news then
      redis.call('SET', subject, version, 'EX', ARGV[2])
    end
  end
  if news then
    sequence = sequence + 1
    added = added + 1
    local entry = string.format('%s\n%d\n%s\n', epoch, sequence, now) .. ARGV[at + 4]
    redis.call('RPUSH', KEYS[2], entry)
    redis.call('PUBLISH', KEYS[3], entry)
  end
end
if added > 0 then
  redis.call('HSET', KEYS[1], 'sequence', sequence)
  redis.call('LTRIM', KEYS[2], -ARGV[3], -1)
  redis.call('EXPIRE', KEYS[2], ARGV[4])
end
return added
