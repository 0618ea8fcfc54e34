-- SPDX-License-Identifier: Apache-2.0
-- Drops every message of a queue that nobody has taken, those that wait for their time too.
--
-- KEYS 1 delayed  2.. the streams of the queue.  ARGV 1 group.  Returns how many.

local count = redis.call('ZCARD', KEYS[1])
redis.call('DEL', KEYS[1])

local function last_taken(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, row in ipairs(groups.err and {} or groups) do
    local found = {}
    for index = 1, #row, 2 do found[row[index]] = row[index + 1] end
    if found['name'] == ARGV[1] then return found['last-delivered-id'] end
  end
  return '0-0'
end

for index = 2, #KEYS do
  local after = '(' .. last_taken(KEYS[index])
  local entries
  repeat
    entries = redis.call('XRANGE', KEYS[index], after, '+', 'COUNT', 500)
    for _, entry in ipairs(entries) do redis.call('XDEL', KEYS[index], entry[1]) end
    count = count + #entries
  until #entries == 0
end
return count
