-- Close what waits for a host at an address, in all runs, for the host lies elsewhere now: what is in its queues, and what
-- will come back to them, goes to the discoveries, up to ARGV[3] of it now and the rest with later claims.
-- ARGV: host, politeness key, elements at most. Returns how many URLs waited.
local host, key, most, waited = ARGV[1], ARGV[2], tonumber(ARGV[3]), 0

-- The queues that are named for the host at the address: name and number of each.
local function queues_in(run)
  local cursor, names = '0', {}
  repeat
    local found = call('HSCAN', P .. 'qi:' .. run, cursor, 'MATCH', '*://' .. host .. '*|' .. key, 'COUNT', 1000)
    cursor = found[1]
    for i = 1, #found[2], 2 do
      if string.match(found[2][i], '://([^:|]+)') == host then names[found[2][i]] = tonumber(found[2][i + 1]) end
    end
  until cursor == '0'
  return names
end

back_from_waiting()
for run in pairs(run_numbers) do
  for name, id in pairs(queues_in(run)) do
    local q = queue(id)
    if q then
      -- Under another name it is found by nobody but forget.lua; what is admitted from now on gets a queue of its own.
      call('HDEL', P .. 'qi:' .. run, name)
      call('HSET', P .. 'qi:' .. run, '~' .. format('%d', id) .. '|' .. key, id)
      call('ZREM', P .. 'aging', pack('<I4', id) .. key)
      call('SADD', P .. 'moving', id)
      q.moved, q.dirty = 1, true
      for _, lane in ipairs(LANES) do
        for at = 1, #q[lane], BAND_BYTES do
          local band, length = unpacked(BAND, q[lane], at)
          if band > 0 then waited = waited + length end
        end
      end
      most = most - drain(q, most)
    end
  end
end
save()
return waited
