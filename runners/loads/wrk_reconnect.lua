-- Put behind EVERY and LAST by wrk.py: one of every EVERY requests of a thread asks the server to close its connection.
-- wrk does not say which connection it asks a request for, so this one is at a random place among them: at a fixed place,
-- with a number of connections that divides EVERY, it would always be the same connection that is closed.

local turn, place = 0, math.random(EVERY)

function request()
  turn = turn + 1
  local text = turn == place and LAST or REQUEST
  if turn == EVERY then
    turn, place = 0, math.random(EVERY)
  end
  return text
end

