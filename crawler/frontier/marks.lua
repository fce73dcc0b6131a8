-- Before reserve.lua, after seen.lua: what was answered for an entry that is not acknowledged yet. It stands there twice and
-- sealed, for nothing else tells which of its URLs were new, and those would be lost with it.

-- The answer of an earlier delivery, {flags, place}; nil when there was none, or when both copies are damaged.
local function answer_of(entry)
  local copies = call('MGET', P .. 'mark:' .. entry.m, P .. 'mark=:' .. entry.m)
  local one, other = copies[1], copies[2]
  if not one and not other then return nil end
  local body = unsealed(one) or unsealed(other)
  if not body or one ~= other then count(entry.r, 't:corrupt-record', 1) end
  return body and cmsgpack.unpack(body)
end

local function keep_answer(entry, answer, keep)
  local packed = sealed(cmsgpack.pack(answer))
  call('SET', P .. 'mark:' .. entry.m, packed, 'EX', keep)
  call('SET', P .. 'mark=:' .. entry.m, packed, 'EX', keep)
end
