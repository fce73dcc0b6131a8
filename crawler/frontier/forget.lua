-- Remove what a run left behind: ARGV[1] run, ARGV[2] queues (or buckets of seen numbers) per call. Returns how many are
-- left. Markers expire by themselves; rotations and timers drop a queue that is gone when they come to it.
local run, most = ARGV[1], tonumber(ARGV[2])
local number = run_numbers[run]
local found = call('HRANDFIELD', P .. 'qi:' .. run, most, 'WITHVALUES')
for i = 1, #found, 2 do
  local key, id = string.match(found[i], '|(.*)$'), tonumber(found[i + 1])
  local q = queue(id)
  for _, lane in ipairs(LANES) do
    for at = 1, q and #q[lane] or 0, BAND_BYTES do
      call('UNLINK', list_of(q, lane, (unpacked(BAND, q[lane], at))))
    end
  end
  queues[id] = false
  call('HDEL', P .. 'queue', pack('<I4', id))
  for _, name in ipairs({'fact', 'robots', 'session', 'dig'}) do call('HDEL', P .. name, id) end
  call('ZREM', P .. 'aging', pack('<I4', id) .. key)
  call('SREM', P .. 'moving', id)
  call('HDEL', P .. 'qi:' .. run, found[i])
  if call('HDEL', P .. 'lim', key .. '|' .. (number or '')) == 1 then tighten(address(key)) end
end
local left = call('HLEN', P .. 'qi:' .. run)
local seen, shape = P .. 'seen:' .. run .. ':', left == 0 and shape_of(run)
if shape then
  local buckets = buckets_of(shape)
  local last = min(shape.gone + most, buckets)
  -- From the last one on: from the first ones the shape can be found again.
  for gone = shape.gone, last - 1 do call('UNLINK', seen .. format('%d', bucket_at(buckets - 1 - gone, shape))) end
  shape.gone = last
  write_shape(run, shape, 86400)
  left = buckets - last
end
save()
if left == 0 then
  call('UNLINK', seen .. 'shape', P .. 'host:' .. run, P .. 'lift:' .. run)
  call('UNLINK', P .. 'qi:' .. run, P .. 'cnt:' .. run, P .. 'dead:' .. run)
  call('HDEL', P .. 'runs', run)
end
return left
