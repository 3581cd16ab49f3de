-- A login was wrong.
-- KEYS: for the account, and for the address if it is known: the times of wrong logins, the leases of logins under way.
-- ARGV: the name of the lease, the window in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for key = 1, #KEYS, 2 do
  redis.call('ZADD', KEYS[key], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[key], ARGV[2] / 1000)
  redis.call('ZREM', KEYS[key + 1], ARGV[1])
end
