#!/usr/bin/env node
'use strict';

/*
 * kill -9 of a worker process of NGINX, also of one that may be changing a full
 * zone, and of Redis, under load: what was answered 200 is in Redis, once.
 */

const { faults, is, ok, until, rest } = require('./fault');
const { whole, full, change } = require('./whole');
const { alive } = require('../e2e/edge');

const AWAY = 300;         /* ms that Redis stays away at most */

async function kill({ edge, rand }) {
    const list = edge.processes();
    const victim = list[Math.floor(rand() * list.length)];

    process.kill(victim, 'SIGKILL');
    await until(() => !alive(victim) && edge.processes().length === 2,
        'another process');
}

faults({
    name: 'kill a process',
    alerts: /exited on signal 9/,
    disturb: kill,
    after({ ledger, found, broken, accepted }) {
        const there = found.size;

        ok(broken.size > 0, 'the kills met requests');
        console.log(`# ${broken.size} without an answer, ${
            there - accepted.length} of them in Redis`);
        ok(ledger.enqueued >= accepted.length && ledger.enqueued <= there
            && there <= ledger.enqueued + ledger.aborted
            && ledger.aborted <= broken.size,
        'what the killed had in flight is aborted', ledger);
    },
}, {
    ...whole('kill a process, full zones'),
    persist: true,
    alerts: /exited on signal 9|zone "\w+" was locked by/,
    async disturb(all) {
        const { house, rand, n } = all;

        /* the table is changed 100 ms later at most, and takes some */
        await change(house.redis, n);
        await rest(rand() * 120);
        await kill(all);
    },
    async after({ edge, broken }) {
        ok(broken.size > 0, 'the kills met requests');
        await full(edge, 'kill');
    },
}, {
    name: 'kill Redis',
    times: 50,
    statuses: [200, 503],
    edge: { options: 'timeout=2s' },
    alerts: /connect\(\) to unix:.* failed \((2|111)/,
    async disturb({ house, load, rand }) {
        const before = load.answers.size;

        await house.stopRedis('SIGKILL');
        await until(() => load.answers.size > before + 32, 'refusals');
        await new Promise((done) => { setTimeout(done, rand() * AWAY); });
        await house.startRedis('--appendfsync', 'always');

        const there = load.accepted;
        await until(() => load.accepted > there + 32, 'the edge');
    },
    after({ load, broken }) {
        const away = load.others(200);

        ok(away.length > 0, 'some came while Redis was away');
        is(away.filter(([, answer]) => !/^[1-9][0-9]*$/
            .test(answer.headers['retry-after'] || '')).length, 0,
        'each 503 has Retry-After');
        is(broken.size, 0, 'each is answered');
    },
});
