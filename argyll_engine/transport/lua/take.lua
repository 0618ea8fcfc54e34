-- SPDX-License-Identifier: Apache-2.0
-- Moves what is due into its stream, then reads what is ready: first what came back (one, alone), then by priority.
--
-- KEYS for each queue: delayed, alive, returned, then its stream of each priority, the most urgent first.
-- ARGV 1 group  2 consumer  3 lease (ms)  4 how many at most  5 how many due ones to move at most  6.. the priorities.
-- Returns {ms until something is due, or -1; what XREADGROUP returned, for each read that found something}.

local group, consumer, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local wanted, movable = tonumber(ARGV[4]), tonumber(ARGV[5])
local levels = #ARGV - 5
local width = 3 + levels
local now, next_due = now_ms(), nil

local function level_of(priority)
  for level = 1, levels do
    if ARGV[5 + level] == priority then return level end
  end
  return levels
end

local function move_due(first)
  local delayed = KEYS[first]
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, movable)) do
    local gap = string.find(member, ' ', 1, true)
    local level = level_of(string.sub(member, 1, gap - 1))
    redis.call('XADD', KEYS[first + 2 + level], '*', 'm', string.sub(member, gap + 1))
    redis.call('ZREM', delayed, member)
  end
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if head[2] and (not next_due or tonumber(head[2]) < next_due) then next_due = tonumber(head[2]) end
end

for first = 1, #KEYS, width do
  redis.call('ZADD', KEYS[first + 1], now + lease, consumer)
  move_due(first)
end

local wait = next_due and math.max(next_due - now, 0) or -1
local found = {}
if wanted <= 0 then return {wait, found} end

local function read(stream, count)
  local answer = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, '>')
  if not answer or not answer[1] then return 0 end
  found[#found + 1] = answer[1]
  return #answer[1][2]
end

for first = 1, #KEYS, width do
  if read(KEYS[first + 2], 1) > 0 then return {wait, found} end
end
for level = 1, levels do
  for first = 1, #KEYS, width do
    wanted = wanted - read(KEYS[first + 2 + level], wanted)
    if wanted <= 0 then return {wait, found} end
  end
end
return {wait, found}
