-- Bring back what waited long enough. ARGV: robots ttl ms. Returns how much it was.
return tend(tonumber(ARGV[1]))
