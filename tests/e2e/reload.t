#!/usr/bin/env node
'use strict';

/*
 * NGINX is reloaded, told to quit and its processes are killed under a load of
 * signed webhooks: what was answered 200 is in Redis, and nothing else is said.
 * (One reload, one quit and one kill by themselves are in t/80 and t/81.)
 *
 * A client that asks on a connection while the old process closes it gets no
 * answer: HTTP/1.1 has no way around that, and senders ask again, as Load does.
 *
 *   FAULT_RELOADS=10 FAULT_KILLS=5 FAULT_SEED=N
 */

const { run, ok, is, until, House, Edge, Load, counted, jobs, random, alive,
    SEED } = require('./edge');

const RELOADS = Number(process.env.FAULT_RELOADS) || 10;
const KILLS = Number(process.env.FAULT_KILLS) || 5;
const LANES = 32;

const house = new House('reload');
const rand = random(SEED);

/* in no order, each once */
const sorted = (list) => [...list].sort((a, b) => a - b);

async function settled(edge) {
    await until(async () => (await edge.status()).events.in_flight === 0,
        'nothing in flight');
    return (await edge.status()).events;
}

/* the ledger; received is a sum of the others: compare with what was asked */
const sum = (events) => ['enqueued', 'duplicate', 'limited', 'refused',
    'failed', 'aborted', 'in_flight'].reduce((all, name) =>
    all + events[name], 0);


async function reloads() {
    const edge = await new Edge('reload', `unix:${house.socket}`).start();
    const load = new Load(edge, LANES, counted);
    const took = [];
    await load.more(500);
    for (let n = 0; n < RELOADS; n += 1) {
        took.push(await edge.reload());
        await load.more(200 + Math.floor(rand() * 200));
    }
    await load.stop();

    is(load.others(200), [], `${RELOADS} reloads under load: only 200`);
    console.log(`# old processes left within ${Math.max(...took)} ms`);
    const posted = load.ids(200);
    is(sorted(await jobs(house.redis)), sorted(posted),
        `jobs in Redis are what was answered (${posted.length})`);
    console.log(`# ${load.broken.length} of ${posted.length
        } asked again after a connection that was closed`);
    ok(load.broken.length <= LANES * RELOADS,
        'at most one connection a lane and reload', load.broken.length);

    const ledger = await settled(edge);
    is([ledger.enqueued, ledger.limited, ledger.refused, ledger.failed,
        ledger.aborted], [posted.length, 0, 0, 0, 0],
    'the ledger survives the reloads and counts each job once');
    ok(ledger.duplicate <= load.broken.length && sum(ledger)
        === ledger.received, 'and balances', ledger);
    is(edge.processes().length, 2, 'two processes');
    is(edge.complaints(), [], 'no alert, no crit');
    is(await edge.stop(), 0, 'it ends with 0');
}


async function quits() {
    const edge = await new Edge('quit', `unix:${house.socket}`,
        { options: 'timeout=20s' }).start();
    await house.redis.flushall();
    const asked = [];
    is((await counted(edge, '0')).status, 200, 'quit: one before');
    house.server.kill('SIGSTOP');
    for (let id = 1; id <= 50; id += 1) {
        asked.push(counted(edge, String(id)));
    }
    await until(async () => (await edge.status()).events.in_flight === 50,
        '50 in flight');
    const old = edge.processes();
    edge.child.kill('SIGQUIT');
    await until(() => edge.ask('GET', '/sluice/status', '', {}, false)
        .then(() => false, () => true), 'nobody to listen');
    ok(old.some(alive), 'quit: processes stay for what is in flight');
    house.server.kill('SIGCONT');
    const answers = (await Promise.all(asked)).map((one) => one.status);
    is(answers, Array(50).fill(200), 'quit: 50 in flight are answered 200');
    is(await edge.stop(), 0, 'quit: it ends with 0');
    is(sorted(await jobs(house.redis)), Array.from({ length: 51 },
        (_, id) => String(id)), 'quit: each is in Redis, once');
    is(edge.complaints(), [], 'quit: no open socket is left');
}


async function kills() {
    const edge = await new Edge('killed', `unix:${house.socket}`).start();
    await house.redis.flushall();
    const load = new Load(edge, LANES, counted, false);
    await load.more(300);
    for (let n = 0; n < KILLS; n += 1) {
        const list = edge.processes();
        const victim = list[Math.floor(rand() * list.length)];
        process.kill(victim, 'SIGKILL');
        await until(() => !alive(victim) && edge.processes().length === 2,
            'another process');
        await load.more(100 + Math.floor(rand() * 300));
    }
    await load.stop();

    is(load.others(200), [], `${KILLS} kills -9: only 200`);
    const there = await jobs(house.redis);
    const set = new Set(there);
    const posted = load.ids(200);
    is(posted.filter((id) => !set.has(id)), [],
        `each answered 200 is in Redis (${posted.length})`);
    const unknown = new Set(load.broken);
    is(there.filter((id) => !unknown.has(id)).length, posted.length,
        'each once, and nothing else but what got no answer');
    console.log(`# ${unknown.size} without an answer, ${
        there.length - posted.length} of them in Redis`);
    ok(unknown.size > 0, 'the kills met requests');

    const ledger = await settled(edge);
    ok(ledger.enqueued >= posted.length && ledger.enqueued <= there.length
        && there.length <= ledger.enqueued + ledger.aborted
        && ledger.aborted <= unknown.size && sum(ledger) === ledger.received,
    'the ledger: what the killed had in flight is aborted', ledger);
    is(edge.complaints(/exited on signal 9/), [], 'no other alert');
    is(await edge.stop(), 0, 'it ends with 0');
}

run(async () => {
    console.log(`# FAULT_SEED=${SEED}`);
    await house.startRedis();
    await reloads();
    await quits();
    await kills();
});
