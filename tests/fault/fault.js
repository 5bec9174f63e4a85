'use strict';

/*
 * One class of faults: NGINX in front of a Redis with appendfsync always, a
 * load of signed webhooks, a worker that takes the jobs and removes them, and
 * something that goes wrong again and again.  Then:
 *
 *   lost      an event that was answered 200 and was never taken
 *   doubled   an event that was taken twice, though it was sent once
 *
 *   FAULT_EVENTS=3000   events of a class that are answered 200 (make fault: 100000)
 *   FAULT_TIMES=10      how often it goes wrong meanwhile (make fault: 200)
 *   FAULT_SEED=N
 *   FAULT_ONLY=NAME     this class of a file alone
 *
 * A class is a file fault/NAME.t that calls fault() with:
 *
 *   name       for the tests
 *   disturb    async ({ edge, house, load, rand }) what goes wrong, once, and
 *              until it is over
 *   times      how often at most, when FAULT_TIMES is more
 *   least      how often at least, when FAULT_TIMES is less
 *   statuses   answers that are allowed; 200 alone by default
 *   again      an event without an answer is sent again, as a sender does:
 *              where each that was read is answered, this doubles nothing
 *   persist    an event that was refused is sent again until it is not
 *   lanes      connections, 32 by default
 *   redis      arguments of redis-server, in place of "appendfsync always"
 *   reach      (house) the URL of sluice_redis, in place of Redis' own socket
 *   edge       options of Edge
 *   alerts     what NGINX may say at [alert] or [crit]
 *   ready      async ({ edge, house }) before the first event
 *   settled    async ({ edge }) waits for what is still to come when all events
 *              are answered
 *   excused    a set of the ids whose own bytes were destroyed by the test: they
 *              may be missing
 *   skip       why the class cannot be tried here
 *   after      async ({ edge, house, load, ledger, found }) more to look at
 *
 * load.told counts the answers by what their X-Status says, if they have one.
 */

const fs = require('fs');
const { run, ok, is, until, House, Edge, Load, counted, random, SEED } =
    require('../e2e/edge');

const EVENTS = Number(process.env.FAULT_EVENTS) || 3000;
const TIMES = Number(process.env.FAULT_TIMES) || 10;

const ONLY = process.env.FAULT_ONLY;

const PAUSE = 20;         /* ms */
const BASE = '{acme}:counted:';

const rest = (ms) => new Promise((done) => { setTimeout(done, ms); });

/* What is taken is noted in the same step, so that a kill divides nothing. */
const TAKE = `
local ids = redis.call('LRANGE', KEYS[1] .. 'wait', -200, -1)
if #ids == 0 then return 0 end
redis.call('LTRIM', KEYS[1] .. 'wait', 0, -#ids - 1)
redis.call('RPUSH', KEYS[2], unpack(ids))
for i = 1, #ids do ids[i] = KEYS[1] .. ids[i] end
redis.call('DEL', unpack(ids))
return #ids`;

/* a worker that removes each job at once, until it is told to stop */
class Taker {
    constructor(redis) {
        this.redis = redis;
        this.done = this.work();
    }

    async work() {
        while (!this.ended) {
            const n = await this.redis.eval(TAKE, 2, BASE, '{acme}:taken')
                .catch(() => 0);
            if (n === 0) {
                await rest(5);
            }
        }
    }

    /* the ids, in order, when there are no more */
    async stop() {
        await until(async () => await this.redis.llen(`${BASE}wait`) === 0,
            'the jobs to be taken');
        this.ended = true;
        await this.done;
        return (await this.redis.lrange('{acme}:taken', 0, -1))
            .map((id) => id.replace(/^e-/, ''));
    }
}

/* the ledger; received is a sum of the others: compare with what was asked */
const sum = (events) => Object.entries(events).reduce((all, [name, n]) =>
    (name === 'received' ? all : all + n), 0);

/* a spool of which all is in Redis */
const emptied = (place) => until(() => !fs.readdirSync(place).some((file) =>
    file.endsWith('.spool')), 'nothing in the spool', 600000);

const short = (list) => list.slice(0, 10);

/* a sender that was refused, or found nobody, waits before it comes again */
const sender = (told, persist) => async (...all) => {
    for (;;) {
        const answer = await counted(...all).catch(async (error) => {
            await rest(PAUSE);
            throw error;
        });
        const status = answer.headers['x-status'];
        if (status) {
            told[status] = (told[status] || 0) + 1;
        }
        if (answer.status === 200) {
            return answer;
        }
        await rest(PAUSE);
        if (!persist) {
            return answer;
        }
    }
};

async function fault({ name, disturb, after, again = false, persist = false,
    alerts, ready = () => {}, settled = () => {}, times = TIMES, least = 0,
    statuses = [200], lanes = 32, edge: options = {},
    redis = ['--appendfsync', 'always'],
    reach = (house) => `unix:${house.socket}`, excused = new Set(), skip = '' })
{
    if (ONLY && ONLY !== name) {
        return;
    }

    if (skip) {
        ok(true, `${name} # SKIP ${skip}`);
        return;
    }

    const rand = random(SEED);
    const house = new House(name.replace(/\W+/g, '-'));
    const rounds = Math.max(least, Math.min(times, TIMES));
    const told = {};

    await house.startRedis(...redis);
    const edge = await new Edge(house.name, reach(house), options).start();
    await ready({ edge, house });
    const taker = new Taker(house.redis);
    const load = new Load(edge, lanes, sender(told, persist), again);
    load.told = told;
    const began = Date.now();

    for (let n = 1; n <= rounds; n += 1) {
        /* anywhere, not only between two answers */
        const goal = (n - rand()) * EVENTS / (rounds + 1);
        await until(() => load.accepted >= goal, `${name}: ${goal} events`, 60000);
        await disturb({ edge, house, load, rand, n });
    }
    await until(() => load.accepted >= EVENTS, `${name}: ${EVENTS} events`, 600000);
    await load.stop();
    const seconds = (Date.now() - began) / 1000;

    await until(async () => (await edge.status()).events.in_flight === 0,
        'nothing in flight');
    await settled({ edge });
    const settling = (Date.now() - began) / 1000 - seconds;
    const taken = await taker.stop();
    const found = new Map();
    for (const id of taken) {
        found.set(id, (found.get(id) || 0) + 1);
    }
    const accepted = load.ids(200);
    const broken = new Set(load.broken);
    const missing = accepted.filter((id) => !found.has(id));
    const lost = missing.filter((id) => !excused.has(id));
    const doubled = [...found].filter(([, n]) => n > 1).map(([id]) => id);
    const refused = load.others(200);

    console.log(`# ${name}: ${load.next} events in ${seconds.toFixed(1)} s, ${
        rounds} times, all settled in ${settling.toFixed(1)} s; ${
        accepted.length} answered 200, ${refused.length} otherwise, ${
        broken.size} not at once; lost ${lost.length}, doubled ${
        doubled.length}${excused.size ? `; ${missing.length} of ${excused.size
    } that the test destroyed are missing` : ''}`);

    is(short(load.others(...statuses)).map(([id, { status, headers, text }]) =>
        [id, status, headers['x-status'], text]), [], `${name}: only ${statuses}`);
    is(short(lost), [], `${name}: none of ${accepted.length} is lost`);
    is(short(doubled), [], `${name}: none is doubled`);
    const known = new Set(accepted);
    is(short([...found.keys()].filter((id) => !known.has(id)
        && !broken.has(id) && !refused.some(([one]) => one === id))), [],
    `${name}: nothing that nobody sent`);

    const ledger = (await edge.status()).events;
    is(sum(ledger), ledger.received, `${name}: the ledger balances`);
    is(short(edge.complaints(alerts)), [], `${name}: no alert, no crit`);

    if (after) {
        await after({ edge, house, load, ledger, found, accepted, broken });
    }

    is(await edge.stop(), 0, `${name}: it ends with 0`);
    await house.stopRedis();
}

/* the classes of a file, one after the other */
const faults = (...classes) => run(async () => {
    console.log(`# FAULT_SEED=${SEED}`);
    for (const one of classes) {
        await fault(one);
    }
});

module.exports = { faults, fault, run, ok, is, until, rest, emptied, BASE,
    EVENTS, TIMES };
