-- Offer a run what earlier runs of its campaign left out for their budgets.
-- ARGV: campaign, run, URLs per host at most, cursor, hosts per call. Returns {next cursor, '0' at the end; URLs}.
local campaign, run, share = ARGV[1], ARGV[2], tonumber(ARGV[3])
local cover, offered = P .. 'cover:' .. campaign, 0

local function offer(host, record)
  local kept, numbers = P .. 'carry:' .. campaign .. ':' .. host, P .. 'carried:' .. campaign .. ':' .. host
  local taken = 0
  while true do
    local part = call('LINDEX', kept, 0)
    part = part and (opened(part) or {{}, ''})
    if not part or (taken > 0 and taken + #part[1] > share) then break end
    call('LPOP', kept)
    if part[2] ~= '' then
      call('XADD', P .. 'disc', '*', 'run', run, 'd', part[2])
      count(run, 'disc', 1)
    end
    in_parts(part[1], 'SREM', numbers)
    taken = taken + #part[1]
  end
  record[2] = run
  call('HSET', cover, host, cmsgpack.pack(record))
  offered = offered + taken
end

local found = call('HSCAN', cover, ARGV[4], 'COUNT', tonumber(ARGV[5]))
for i = 1, #found[2], 2 do
  local record = opened(found[2][i + 1]) or {0, '', ''}
  -- What the run itself left out it has seen, and would not look at again.
  if record[2] ~= run and record[3] ~= run then offer(found[2][i], record) end
end
save()
return {found[1], offered}
