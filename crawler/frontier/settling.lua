-- Before ack.lua, unmark.lua and enqueue.lua: how entries of a stream end.

-- Acknowledge and remove an entry in one step, so that nothing is trimmed that was not read; whether it was still pending.
-- payload: where it is not empty it becomes an entry of the discoveries after so many ms.
local function acknowledge(name, group, id, run, payload, after)
  local stream = P .. name
  if call('XACK', stream, group, id) == 0 then return false end
  call('XDEL', stream, id)
  count(run, name, -1)
  if payload ~= '' then
    -- The entry's own id makes the member unlike any other.
    call('ZADD', P .. 'timers', now + tonumber(after), 'L' .. cmsgpack.pack({run, payload, id}))
    count(run, 'later', 1)
  end
  return true
end

-- After its acknowledgement an entry needs no answers.
local function unmark(marker)
  local key, member = done_in(marker)
  call('SADD', key, member)
  call('EXPIRE', key, '3600')
  call('DEL', P .. 'mark:' .. marker, P .. 'mark=:' .. marker, P .. 'mark+:' .. marker, P .. 'mark-:' .. marker)
end
