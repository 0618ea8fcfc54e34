-- SPDX-License-Identifier: Apache-2.0
-- Puts dead letters back into their queue, or drops them.
--
-- KEYS 1 dead  2 returned.  ARGV 1 'revive' or 'drop'  2.. ids.  Returns how many of them were there.

local count = 0
for index = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[index], ARGV[index])[1]
  if entry then
    if ARGV[1] == 'revive' then redis.call('XADD', KEYS[2], '*', 'm', entry[2][2]) end
    count = count + redis.call('XDEL', KEYS[1], ARGV[index])
  end
end
return count
