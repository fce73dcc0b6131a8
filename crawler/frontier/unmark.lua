-- After their acknowledgement entries need no markers: ARGV are markers. That an entry was queued, and kept, is known for an hour
-- longer, for an admitter that was slow and believes the entry to be its own.
for _, marker in ipairs(ARGV) do
  call('UNLINK', P .. 'mark:' .. marker)
  call('EXPIRE', P .. 'mark+:' .. marker, 3600)
  call('EXPIRE', P .. 'mark-:' .. marker, 3600)
end
return #ARGV
