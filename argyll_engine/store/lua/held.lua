-- SPDX-License-Identifier: Apache-2.0
-- Lists the work items of a flow that are not free.
--
-- KEYS 1 claims  2 workers
-- ARGV 1 now (ms)
-- Returns the tokens whose worker lives past now, or whose child flow was started. Atomic, read-only.

local now, tokens = tonumber(ARGV[1]), {}
local claims = redis.call('HGETALL', KEYS[1])
for index = 1, #claims, 2 do
  local worker = claims[index + 1]
  local until_ms = worker ~= 'accepted' and tonumber(redis.call('ZSCORE', KEYS[2], worker)) or 0
  if worker == 'accepted' or until_ms > now then tokens[#tokens + 1] = claims[index] end
end
return tokens
