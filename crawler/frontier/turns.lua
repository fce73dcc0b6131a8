-- The last of what claim.lua makes only when it needs it: turns at addresses and of queues where something is out of the
-- ordinary, on tables.

-- After its turn a queue stays in the rotation, or leaves it. A hot one comes again after the next one; unless the turn
-- before was a hot one's too, for several of them would leave no turn to others.
local function turn_over(q, a, lane)
  if not claimable(q, lane) then
    q[IN[lane]], q.dirty = 0, true
    next_turn(a, lane, false)
  elseif q.hot == 1 and a.hot > now and a.turn % 2 == 0 then
    a.turn = a.turn + 1
    a[lane] = sub(a[lane], 5, 8) .. sub(a[lane], 1, 4) .. sub(a[lane], 9)
  else
    a.turn = a.turn - a.turn % 2
    next_turn(a, lane, true)
  end
end

-- The slot that an address has free within the lookahead, or nil.
local function free_slot(a)
  if a.inflight >= a.conc then return nil end
  local slot = max(a.next, a.blocked, now)
  return slot <= horizon and slot or nil
end

-- One turn at an address. Whether it may have another; one that may not is noted as busy, for the other lane.
local function turn(key, lane)
  local a = address(key)
  -- One that is due and has no record would be due for ever.
  if a.fresh then lose_address(key) end
  local slot = not a.fresh and free_slot(a)
  if not slot then
    standing[key] = 0
    return false
  end
  local id = whose_turn(a, lane)
  if not id then
    a.dirty = true
    return false
  end
  local q = queue(id)
  if q then
    local element, band
    if claimable(q, lane) then element, band = pop(q, lane) end
    if element then
      local after = slot_after(slot, a.rate, a.slow)
      lease_out(pack('<I4', id), q.run, q.version, lane, band, slot, after, key, element)
      a.next, a.inflight, a.dirty = after, a.inflight + 1, true
      a.turn = a.turn % 2 + LANE_TURN[lane]
      keep_pace(q, a, slot)
    end
    turn_over(q, a, lane)
  else
    next_turn(a, lane, false)
  end
  if not free_slot(a) then standing[key] = 0 end
  return standing[key] ~= 0
end

return {turn = turn, tend = tend, address = address}
