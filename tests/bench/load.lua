-- What wrk asks for and prints. Arguments after "--": addresses to ask for in turn; none is the one of the command line.
-- "guess": each request tries another password, for somebody's name.
local asked, at = {}, 0
local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

function init(arguments)
    if arguments[1] == "guess" then
        request = function()
            at = at + 1
            wrk.headers["Authorization"] = "Basic " .. base64(("reader:guess-%d-%d"):format(number, at))
            return wrk.format()
        end
    elseif #arguments > 0 then
        for place, path in ipairs(arguments) do asked[place] = wrk.format("GET", path) end
        request = function()
            at = at % #asked + 1
            return asked[at]
        end
    end
end

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
function base64(text)
    local found = {}
    for place = 1, #text, 3 do
        local first, second, third = text:byte(place, place + 2)
        local bits = first * 65536 + (second or 0) * 256 + (third or 0)
        for part = 0, 3 do
            local six = math.floor(bits / 64 ^ (3 - part)) % 64
            local there = part < 2 or (part == 2 and second) or (part == 3 and third)
            found[#found + 1] = there and letters:sub(six + 1, six + 1) or "="
        end
    end
    return table.concat(found)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(("measured requests=%d seconds=%f bytes=%d p50_ms=%f p99_ms=%f refused=%d broken=%d\n"):format(
        summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
