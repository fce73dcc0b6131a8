-- Send nothing to an address for a while: ARGV politeness key, ms from now. A shorter block does not end a longer one.
local a = address(ARGV[1])
a.blocked, a.dirty = max(a.blocked, now + tonumber(ARGV[2])), true
save()
return 1
