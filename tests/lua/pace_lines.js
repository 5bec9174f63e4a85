'use strict';

/*
 * The lines of a pace (include/pace.lua) in a time of their own: thousands of
 * messages, each asked for when it comes and whenever it was told to come again.
 */

const fs = require('fs');
const path = require('path');
const { start, root } = require('./server');
const tap = require('./tap');

const S = 1e6;

const MODEL = `
local call = redis.call
${fs.readFileSync(path.join(root, 'lua', 'include', 'pace.lua'), 'utf8')}
local o = cjson.decode(ARGV[1])
local begun = 1763769600000000

-- what is to come: a heap of {moment, turn in which it was put, message}
local heap, size, puts = {}, 0, 0
local function before(a, b)
    return a[1] < b[1] or a[1] == b[1] and a[2] < b[2]
end
local function put(at, message)
    puts, size = puts + 1, size + 1
    local i = size
    heap[i] = {at, puts, message}
    while i > 1 and before(heap[i], heap[math.floor(i / 2)]) do
        local up = math.floor(i / 2)
        heap[i], heap[up], i = heap[up], heap[i], up
    end
end
local function get()
    local first, i = heap[1], 1
    heap[1], heap[size], size = heap[size], nil, size - 1
    while 2 * i <= size do
        local down = 2 * i
        if down < size and before(heap[down + 1], heap[down]) then
            down = down + 1
        end
        if not before(heap[down], heap[i]) then
            break
        end
        heap[i], heap[down], i = heap[down], heap[i], down
    end
    return first
end

local number = {tat = 0, tail = 0, late = 0, from = 0}
local places, lost, offs, removed = {}, {}, {}, {}
local gone, moments = {}, {}
local interval, tolerance, clock, asked = o.interval, o.tolerance, 0, 0
for _, some in ipairs(o.messages) do
    for i = some.first, some.last do
        put(begun + some.at, i)
        offs[i] = 0
    end
end
math.randomseed(7)
while size > 0 and asked < 1000000 do
    local at, _, id = unpack(get())
    while o.events[1] and begun + o.events[1].at <= at do
        local event = table.remove(o.events, 1)
        interval = event.interval or interval
        tolerance = event.tolerance or tolerance
        clock = clock + (event.clock or 0)
        for i = event.first or 1, event.last or 0 do
            removed[i] = true
        end
    end
    if removed[id] then
        -- nobody asks for it
    elseif at >= begun + o.stop and at < begun + o.go then
        put(begun + o.go + puts % o.mixed, id)
    else
        asked = asked + 1
        local now = at + clock
        if lost[id] and lost[id] < now then
            places[id] = nil
        end
        pace_rate(number, interval, tolerance, o.horizon, 0)
        local turns = {number = places[id]}
        local due = pace_both(now, number, nil, turns)
        if not due then
            gone[#gone + 1], moments[#moments + 1] = id, at - begun
        else
            local wait = math.ceil((due - now) / 1000) * 1000
            offs[id] = offs[id] + 1
            if turns.number then
                places[id], lost[id] = turns.number, now + wait + 60000000
            end
            put(at + wait + o.behind + math.random(0, o.jitter), id)
        end
    end
end
local most, sum = 0, 0
for _, n in pairs(offs) do
    most, sum = math.max(most, n), sum + n
end
return cjson.encode({gone = gone, moments = moments, most = most, sum = sum})
`;

/* 72 a second, of which a tenth of a second may run ahead */
const usual = { interval: 13889, tolerance: 100000, horizon: 3600000,
    stop: 0, go: 0, mixed: 1, behind: 0, jitter: 0, events: [] };
const N = 5000;
const all = { at: 0, first: 1, last: N };
const others = (at) => ({ at: at * S, first: N + 1, last: N + 100 });

/*
 * put off: on the average, and the one most often; moved: places from its own;
 * end: s; others: s at which the last of them went
 */
const table = [
    ['a backlog', {}, { off: 1, most: 1, moved: 0, end: 69.4 }],
    ['each comes a little late', { jitter: 50000 },
        { off: 1, most: 1, moved: 10, end: 69.5 }],
    ['all come late', { behind: 90 * S }, { off: 1, most: 1, moved: 0,
        end: 159.4 }],
    ['one a second', { interval: S, messages: [{ at: 0, first: 1, last: 900 }],
        jitter: 50000 }, { off: 1, most: 1, moved: 1, end: 899.1 }],
    ['nothing may run ahead, and each comes a little late', { interval: S,
        tolerance: 0, jitter: 50000, messages: [{ at: 0, first: 1, last: 300 }] },
    { off: 3.1, most: 6, moved: 10, end: 310 }],
    ['the same after a stop', { interval: 6 * S, tolerance: 0, jitter: 300000,
        stop: 10 * S, go: 110 * S, messages: [{ at: 0, first: 1, last: 100 }] },
    { off: 3.2, most: 6, end: 715 }],
    ['a slower rate', { messages: [{ at: 0, first: 1, last: 2000 }],
        events: [{ at: 5 * S, interval: S, tolerance: 0 }] },
    { off: 2, most: 3, moved: 0, end: 1640 }],
    ['a faster rate', { interval: S, messages: [{ at: 0, first: 1, last: 200 }],
        events: [{ at: 5 * S, interval: 13889 }] },
    { off: 1, most: 1, moved: 0, end: 199.1 }],
    ['nobody works for a while', { stop: 10 * S, go: 40 * S },
        { off: 2, most: 2, moved: 1, end: 99.4 }],
    ['and all that waited come as they like',
        { stop: 10 * S, go: 40 * S, mixed: 1000 }, { off: 2, most: 3, end: 99.4 }],
    ['nobody works for long', { stop: 10 * S, go: 310 * S, mixed: 1000 },
        { off: 3, most: 5, end: 370 }],
    ['beyond the horizon', { interval: S, horizon: 100000,
        messages: [{ at: 0, first: 1, last: 300 }] },
    { off: 2.1, most: 3, moved: 0, end: 299.1 }],
    ['what waited was removed', { messages: [all, others(25)],
        events: [{ at: 5 * S, first: 1, last: N }] },
    { most: 1, end: 27, others: 27 }],
    ['the clock is set back', { messages: [all, others(20)],
        events: [{ at: 10 * S, clock: -3600 * S }] },
    { off: 2, most: 2, end: 71, others: 22 }],
    ['the clock is set forward', { messages: [all, others(20)], leap: true,
        events: [{ at: 10 * S, clock: 3600 * S }] },
    { off: 2, most: 3, end: 71 }],
];

tap.run(async () => {
    const server = await start('pace-lines');
    try {
        for (const [name, options, expected] of table) {
            const o = { ...usual, messages: [all], ...options };
            const { gone, moments, most, sum } = JSON.parse(
                await server.redis.eval(MODEL, 0, JSON.stringify(o)));
            const n = o.messages.reduce((k, m) => k + m.last - m.first + 1, 0);
            const removed = gone.length < n && o.events[0].last
                ? N - gone.filter((id) => id <= N).length : 0;
            tap.is([new Set(gone).size, gone.length], [n - removed, n - removed],
                `${name}: each goes once`);
            let [tat, over] = [0, 0];
            const { interval, tolerance } = o;
            for (const at of moments) {
                tat = Math.max(tat, at) + interval;
                over += tat > at + tolerance + interval;
            }
            tap.ok(o.leap || over === 0, 'the rate is kept', over);
            const got = { off: sum / n, most,
                moved: Math.max(...gone.map((id, i) => Math.abs(id - i - 1))),
                end: moments[moments.length - 1] / S,
                others: Math.max(...moments.filter((_, i) => gone[i] > N)) / S };
            for (const [what, high] of Object.entries(expected)) {
                tap.ok(got[what] <= high, `${what} is at most ${high}`, got);
            }
        }
    } finally {
        await server.stop();
    }
});
