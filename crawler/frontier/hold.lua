-- Pause or resume a run: ARGV[1] run, ARGV[2] 'paused' or 'running', ARGV[3] cursor, ARGV[4] queues per call.
-- Returns the next cursor, '0' at the end. A queue of a paused run keeps its URLs and leaves the rotation at its turn.
local run = ARGV[1]
local number = number_of_run(run)
if ARGV[2] == 'paused' then
  call('HSET', P .. 'runs', run, number .. '!')
  return '0'
end
call('HSET', P .. 'runs', run, number)
paused[number] = nil
local found = call('HSCAN', P .. 'qi:' .. run, ARGV[3], 'COUNT', tonumber(ARGV[4]))
local keys, ids = {}, {}
for i = 1, #found[2], 2 do
  keys[#keys + 1] = string.match(found[2][i], '|(.*)$')
  ids[#ids + 1] = tonumber(found[2][i + 1])
end
load_addresses(keys)
load_queues(ids)
for i, id in ipairs(ids) do
  local q = queue(id)
  if q then rotate_in(q, addresses[keys[i]]) end
end
save()
return found[1]
