-- Count a request of a caller within a sliding window, unless it has had its share.
-- KEYS: the caller's times. ARGV: most requests, the window in microseconds.
-- Returns how many microseconds to wait; 0 if the request is counted.
local now, count, wait = within(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
if wait > 0 then
  return wait
end
-- Several may come within a microsecond.
redis.call('ZADD', KEYS[1], now, string.format('%.0f-%d', now, count))
redis.call('PEXPIRE', KEYS[1], ARGV[2] / 1000)
return 0
