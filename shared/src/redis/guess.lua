-- May one more login be tried?
-- KEYS: the times of wrong logins, the leases of logins under way.
-- ARGV: most, the window in microseconds, the name of the lease to take ('' takes none), its life in microseconds, how
-- long to wait while only logins under way stand in the way.
-- Returns how many microseconds to wait; 0 if it may.
local most, lease = tonumber(ARGV[1]), ARGV[3]
local now, wrong, wait = within(KEYS[1], most, tonumber(ARGV[2]))
if wait > 0 or lease == '' then
  return wait
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if wrong + redis.call('ZCARD', KEYS[2]) >= most then
  return tonumber(ARGV[5])
end
redis.call('ZADD', KEYS[2], now + ARGV[4], lease)
redis.call('PEXPIRE', KEYS[2], ARGV[4] / 1000)
return 0
