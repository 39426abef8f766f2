-- Runs inside wrk: sends REQUEST byte for byte, and at the end writes what wrk counted as JSON, raw histogram included.
-- REQUEST is put in front of this text by wrk.py. There is no response() here: it would cost CPU for every answer.

wrk.format = function() return REQUEST end

-- Reads wrk's own array of counts (one per microsecond); nil when it does not look like the struct this expects.
local function raw(latency)
  local ok, ffi = pcall(require, "ffi")
  if not ok then return nil end
  ffi.cdef("typedef struct { uint64_t count, limit, min, max; uint64_t data[1]; } wrk_counts;")
  local counts = ffi.cast("wrk_counts **", latency)[0]
  if tonumber(counts.max) ~= latency.max or tonumber(counts.min) ~= latency.min then return nil end
  return counts
end

local function from_array(counts, found)
  for us = tonumber(counts.min), tonumber(counts.max) do
    local n = tonumber(counts.data[us])
    if n > 0 then found[#found + 1] = ("[%d,%d]"):format(us, n) end
  end
end

-- The public interface searches the array from its start for every value: only bearable while there are few.
local function from_interface(latency, found)
  for i = 1, #latency do
    found[i] = ("[%d,%d]"):format(latency(i))
  end
end

local function histogram(latency)
  local found = {}
  if latency.max == 0 then return "none", found end -- nothing was recorded: min is 2^64-1 then
  local counts = raw(latency)
  if counts then
    from_array(counts, found)
    return "ffi", found
  end
  if latency.max > 100000 then return "skipped", found end
  from_interface(latency, found)
  return "api", found
end

function done(summary, latency, requests)
  local errors = summary.errors
  local source, found = histogram(latency)
  local file = assert(io.open(os.getenv("SERVERMATRIX_WRK_RESULT"), "w"))
  file:write(('{"schema":1,"duration_us":%d,"requests":%d,"bytes":%d,'):format(summary.duration, summary.requests, summary.bytes))
  file:write(('"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d},'):format(
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
  file:write(('"latency_us":{"source":"%s","max":%d,"histogram":[%s]}}\n'):format(source, latency.max, table.concat(found, ",")))
  file:close()
end
