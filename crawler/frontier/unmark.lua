-- After their acknowledgement entries need no markers: ARGV are markers. That an entry was queued is known for an hour
-- longer, for an admitter that was slow and believes the entry to be its own.
for _, marker in ipairs(ARGV) do
  redis.call('UNLINK', P .. 'mark:' .. marker)
  redis.call('EXPIRE', P .. 'mark+:' .. marker, 3600)
end
return #ARGV
