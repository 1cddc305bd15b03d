-- wrk's side of bench/service.py: posts one photo again and again, and prints of each answer its
-- status, the seconds that it took, and when it came.
--
--     wrk -t N -c N -d 5s -s load.lua URL -- PHOTO.jpg
--
-- Several photos take turns, each with a tail of its own: no two requests have the same bytes.
--
-- As many threads as connections, so that a thread's answers come in the order of its requests.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int, moment *);")
local now = ffi.new("moment")

local function seconds()
    ffi.C.clock_gettime(1, now) -- CLOCK_MONOTONIC
    return tonumber(now.s) + tonumber(now.ns) / 1e9
end

local threads = {}

function setup(thread)
    table.insert(threads, thread)
    thread:set("thread", #threads)
end

local function formatted(photo)
    return wrk.format("POST", nil, { ["Content-Type"] = "image/jpeg" }, photo)
end

function init(args)
    photos, turn, found = {}, thread, {}
    for number, path in ipairs(args) do
        local file = assert(io.open(path, "rb"))
        photos[number] = file:read("*a")
        file:close()
    end
    one = #photos == 1 and formatted(photos[1])
end

function request()
    turn = turn + 1
    local body = one or formatted(photos[turn % #photos + 1] .. string.format("%d %.9f", thread, seconds()))
    asked = seconds()
    return body
end

function response(status)
    local answered = seconds()
    found[#found + 1] = string.format("%d %.6f %.6f", status, answered - asked, answered)
end

function done(summary)
    for _, thread in ipairs(threads) do
        for _, line in ipairs(thread:get("found")) do
            print("answer " .. line)
        end
    end
    local lost = summary.errors
    print("lost " .. lost.connect + lost.read + lost.write + lost.timeout)
end
