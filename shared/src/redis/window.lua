-- What happened within a sliding window, as the scores of a sorted set.
-- Returns the time and how many there are, and how long to wait while there are `most` of them, in microseconds; 0 while
-- there are fewer.
local function within(key, most, window)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local count = redis.call('ZCARD', key)
  if count < most then
    return now, count, 0
  end
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return now, count, oldest[2] + window - now
end

