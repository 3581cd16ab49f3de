-- Count a request of a caller within a sliding window, unless it has had its share.
-- KEYS: the caller's times. ARGV: most requests, the window in microseconds.
-- Returns how many microseconds to wait; 0 if the request is counted.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
if count >= tonumber(ARGV[1]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return oldest[2] + window - now
end
-- Several may come within a microsecond.
redis.call('ZADD', KEYS[1], now, string.format('%.0f-%d', now, count))
redis.call('PEXPIRE', KEYS[1], window / 1000)
return 0
