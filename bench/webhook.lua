-- wrk: the signed webhook again and again; done() prints one line of JSON.
-- WEBHOOK_BODY, WEBHOOK_SIGNATURE and WEBHOOK_DELAY come from the harness.

wrk.method = "POST"
wrk.body = os.getenv("WEBHOOK_BODY")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Hub-Signature-256"] = os.getenv("WEBHOOK_SIGNATURE")

local rest = tonumber(os.getenv("WEBHOOK_DELAY") or "")

if rest then
    -- ms before each request; not the same for all, so that they spread
    function delay()
        return math.random(0, 2 * rest)
    end
end

-- user and system ticks of wrk itself: fields 14 and 15 of its stat
local function ticks()
    local file = assert(io.open("/proc/self/stat"))
    local stat = file:read("*a"):match(".*%) (.*)")
    local fields = {}

    file:close()

    for field in stat:gmatch("%S+") do
        fields[#fields + 1] = tonumber(field) or 0
    end

    return fields[12] + fields[13]
end

function done(summary, latency, requests)
    local e = summary.errors

    io.write(string.format(
        '\nBENCH {"requests":%d,"us":%d,"p50":%.0f,"p99":%.0f,"ticks":%d,'
        .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
        summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), ticks(), e.connect, e.read, e.write,
        e.status, e.timeout))
end
