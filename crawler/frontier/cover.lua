-- Before reserve.lua and carry_over.lua: what is kept of hosts whose budgets were used up, for the next run of a campaign.

-- The record of a host of which something was left out: {URLs that had their turn since the round began, the run that was
-- last offered what waited, the run that last used its budget up}, and whether it was there; a damaged one was not.
local function cover_record(packed, run)
  local record = opened(packed)
  if record and type(record[1]) == 'number' and type(record[2]) == 'string' and type(record[3]) == 'string' then
    return record, true
  end
  if packed then count(run, 't:corrupt-record', 1) end
  return {0, '', ''}, false
end

-- A piece of what is kept of a host, {{number, …}, discoveries payload, run that left it out}; nil when it is damaged.
local function kept_piece(packed)
  local piece = opened(packed)
  if not piece or type(piece[1]) ~= 'table' or type(piece[2]) ~= 'string' then return nil end
  for _, number in ipairs(piece[1]) do
    if type(number) ~= 'string' then return nil end
  end
  return piece
end
