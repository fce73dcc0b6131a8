-- After their acknowledgement entries need no answers: ARGV are markers. That an entry was admitted is known for an hour
-- longer, for an admitter that was slow and believes the entry to be its own.
for _, marker in ipairs(ARGV) do
  call('SET', P .. 'mark:' .. marker, '', 'EX', 3600)
  call('EXPIRE', P .. 'mark+:' .. marker, 3600)
  call('EXPIRE', P .. 'mark-:' .. marker, 3600)
end
return #ARGV
