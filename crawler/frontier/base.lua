-- Shared by every script of a partition and prepended to each: what a script loads, changes in Lua and saves once at its
-- end. Many small commands are what a server's processor goes to; a record in one string costs one, for all together.
-- KEYS[1] is the partition's prefix, for instance "vangnet:{p0}"; every other key is built from it, so all share its
-- hash tag. Times are milliseconds of the server's clock. Lanes are 'p' (pages) and 'i' (images).
--
--   runs          hash  run -> number, with a "!" behind it while the run is paused       numbers, queues: counters
--   addr          hash  politeness key -> address, packed as ADDRESS says
--   lim           hash  politeness key|run number -> rate and concurrency that the run allows there
--   rot:PKEY:L    list  queues that wait for their turn behind those in the address
--   due:L, hot:L  zset  addresses with a free place in flight and something to claim, by the time at which they may be
--                       asked; each in one of six: L is p, i, or b where both lanes have something
--   slow, idle    set   addresses that are slowed down; zset of those with nothing to claim, by time
--   queue         hash  number (4 bytes) -> queue, packed as QUEUE says
--   fact          hash  number -> msgpack of what never changes of a queue
--   qi:RUN        hash  origin|pkey -> number of the queue            robots, session, dig  hashes, by number
--   q:N:L:B       list  elements of one band: attempts byte, then the record; N in 4 bytes, B in 2
--   pace          zset  origin|pkey by the time until which the host is parked, in all runs
--   moving        set   queues that are closed, for their hosts moved, and not empty yet
--   lease:BATCH   hash  index (2 bytes) -> lease, packed as LEASE says     expiry  zset  batches by time
--   timers        zset  what comes back: "D" lease, "P" queue that was parked, "L" discoveries to judge again
--   aging         zset  queues by the time of their robots.txt
--   damaged       set   what could not be read, for mend.lua: "a" and the address, "q" queue, "l" lease, …
--   disc, res     stream  discoveries and results    cnt:RUN  hash  counters    dead:RUN  list
--   mark:M        what was answered for an entry that is not acknowledged yet, and mark=:M the same; mark+:M, mark-:M
--                 that it was queued, kept
--   seen:RUN:N    set   numbers of what a run has seen; seen:RUN:shape  how many buckets: see seen.lua
--   done:P:T      set   entries that were acknowledged, of a partition and two seconds
local P = KEYS[1] .. ':'
local QUEUED = P .. 'q:'
-- Each use of a global is a look-up: those that are used for every URL are locals. Arguments that are numbers are printed
-- with 17 digits before a command has them, which takes as long as the command: what is given often is text.
local call, pack, unpacked, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
local format, ceil, max, min = string.format, math.ceil, math.max, math.min
local IDLE_MS = 3600000
local SLOWEST = 16

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Entries of the discoveries that were admitted and acknowledged are known for an hour, for an admitter that was slow and
-- believes one to be its own: by time, as numbers in small sets, where a key for each would take as much as its URLs.
-- marker: partition, ms and sequence number of an entry. Returns key and member.
local function done_in(marker)
  local ms, sequence = string.match(marker, '^%d+:(%d+)%-(%d+)$')
  local key = P .. 'done:' .. string.match(marker, '^%d+') .. ':' .. math.floor(ms / 2000)
  return key, #sequence < 4 and ms .. format('%03d', sequence) or marker
end
local function is_done(marker) return call('SISMEMBER', done_in(marker)) == 1 end

-- Commands for many arguments, in even parts: Lua's stack takes some thousands. The answers of one part are not copied.
local function in_parts(arguments, name, key)
  local total = #arguments
  if total == 0 then return {} end
  if total <= 4000 then return call(name, key, unpack(arguments)) end
  local answers = {}
  for first = 1, total, 4000 do
    local part = call(name, key, unpack(arguments, first, min(first + 3999, total)))
    for _, value in ipairs(type(part) == 'table' and part or {}) do answers[#answers + 1] = value end
  end
  return answers
end

-- QUEUE: Crawl-delay (ms), parked, moved; hot, in the rotation of pages, of images; run number, version of what is known of
-- the host, gated, bytes of the bands of pages. Behind it the bands p and i in order: BAND, number and length of each.
-- Band 0 is robots.txt. The first three are zero but for few, the run's number stands at RUN_AT.
local QUEUE, BAND, QUEUE_BYTES, BAND_BYTES, RUN_AT = '<dBBBBBI4HBH', '<HI4', 22, 6, 14
local function whole_queue(packed)
  local bands = #packed - QUEUE_BYTES
  if bands < 0 or bands % BAND_BYTES ~= 0 then return false end
  local low, high = byte(packed, QUEUE_BYTES - 1, QUEUE_BYTES)
  local pages = low + 256 * high
  return pages % BAND_BYTES == 0 and pages <= bands
end
