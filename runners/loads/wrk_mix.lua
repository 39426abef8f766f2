-- Put behind TEXTS, LASTS, ORDER and EVERY by wrk.py: sends the requests of a mix, each as often as it stands in ORDER.
-- ORDER is gone through over and over, each time from another place (parts of it by the golden ratio, which never come round):
-- with a number of connections that its length divides, a connection would else send one and the same request for ever, and
-- a worker of the server might get all those that are dear. One of every EVERY requests asks for the end of its connection,
-- as in wrk_reconnect.lua; 0: none does.

local GOLDEN, SIZE = 0.6180339887498949, #ORDER
local start, at, asked, place = 0, 0, 0, EVERY > 1 and math.random(EVERY) or 0
turn = 0 -- global, so that each thread can be told to begin with another one

local threads = 0

function setup(thread)
  thread:set("turn", threads)
  threads = threads + 1
end

function request()
  if at == 0 then
    start = math.floor(turn * GOLDEN % 1 * SIZE)
    turn = turn + 1
  end
  local chosen = ORDER[(start + at) % SIZE + 1]
  at = (at + 1) % SIZE
  if EVERY < 2 then return TEXTS[chosen] end
  asked = asked + 1
  local text = asked == place and LASTS[chosen] or TEXTS[chosen]
  if asked == EVERY then
    asked, place = 0, math.random(EVERY)
  end
  return text
end

