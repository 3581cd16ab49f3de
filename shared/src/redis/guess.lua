-- May one more login be tried?
-- KEYS: the times of wrong logins, the leases of logins under way.
-- ARGV: most, the window in microseconds, the name of the lease to take ('' takes none), its life in microseconds, how
-- long to wait while only logins under way stand in the way.
-- Returns how many microseconds to wait; 0 if it may.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most, window, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local wrong = redis.call('ZCARD', KEYS[1])
if wrong >= most then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return oldest[2] + window - now
end
if lease == '' then
  return 0
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if wrong + redis.call('ZCARD', KEYS[2]) >= most then
  return tonumber(ARGV[5])
end
redis.call('ZADD', KEYS[2], now + ARGV[4], lease)
redis.call('PEXPIRE', KEYS[2], ARGV[4] / 1000)
return 0
