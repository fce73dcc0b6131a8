-- After their acknowledgement entries need no answers: ARGV are markers.
for _, marker in ipairs(ARGV) do
  local key, member = done_in(marker)
  call('SADD', key, member)
  call('EXPIRE', key, '3600')
  call('DEL', P .. 'mark:' .. marker, P .. 'mark=:' .. marker, P .. 'mark+:' .. marker, P .. 'mark-:' .. marker)
end
return #ARGV
