-- Offer a run what earlier runs of its campaign left out for their budgets.
-- ARGV: campaign, run, URLs per host at most, cursor, hosts per call. Returns {next cursor, '0' at the end; URLs}.
local campaign, run, share = ARGV[1], ARGV[2], tonumber(ARGV[3])
local cover, offered = P .. 'cover:' .. campaign, 0

-- Note anew what waits of a host: the numbers of a piece that is damaged, or that were damaged in it, wait for nothing, and
-- would keep the same URLs out on every other night.
local function recount(kept, numbers)
  call('DEL', numbers)
  for _, packed in ipairs(call('LRANGE', kept, 0, -1)) do
    local piece = kept_piece(packed)
    if piece then in_parts(piece[1], 'SADD', numbers) end
  end
  local left = call('TTL', kept)
  if left > 0 then call('EXPIRE', numbers, left) end
end

local function offer(host, record)
  local kept, numbers = P .. 'carry:' .. campaign .. ':' .. host, P .. 'carried:' .. campaign .. ':' .. host
  local taken, lost, packed = 0, 0, nil
  while true do
    packed = call('LINDEX', kept, 0)
    local piece = packed and kept_piece(packed)
    -- What the run itself left out it has seen, and would not look at again.
    if not packed or (piece and (piece[3] == run or (taken > 0 and taken + #piece[1] > share))) then break end
    call('LPOP', kept)
    if piece then
      call('XADD', P .. 'disc', '*', 'run', run, 'd', piece[2])
      count(run, 'disc', 1)
      in_parts(piece[1], 'SREM', numbers)
      taken = taken + #piece[1]
    else
      lost = lost + 1
    end
  end
  count(run, 't:corrupt-record', lost)
  if lost > 0 or not packed then recount(kept, numbers) end
  record[2] = run
  call('HSET', cover, host, cmsgpack.pack(record))
  offered = offered + taken
end

local found = call('HSCAN', cover, ARGV[4], 'COUNT', tonumber(ARGV[5]))
for i = 1, #found[2], 2 do
  local record = cover_record(found[2][i + 1], run)
  -- One whose budget the run has used up would be left out of it again.
  if record[2] ~= run and record[3] ~= run then offer(found[2][i], record) end
end
save()
return {found[1], offered}
