#!/usr/bin/env node
'use strict';

/*
 * With a spool nothing but 200 is said while Redis is killed, silent or full,
 * and while worker processes are killed meanwhile; and all of it is in Redis
 * afterwards, once, though the jobs are taken and removed at once.
 */

const fs = require('fs');
const path = require('path');
const { faults, ok, until, rest, emptied } = require('./fault');
const { alive, dir } = require('../e2e/edge');

const AWAY = 400;         /* ms that Redis stays away at most */
const MISSING = /connect\(\) to unix:.* failed \((2|11|111)/;

const place = (name) => path.join(dir, `${name}.spool`);

const spool = (name, connections = 1) => ({
    edge: { options: `timeout=300ms connections=${connections}`,
        more: `sluice_spool ${place(name)} size=2g;` },
    settled: () => emptied(place(name)),
});

function spooled({ edge, ledger }) {
    ok(ledger.spooled > 0,
        `${ledger.spooled} were spooled, ${ledger.enqueued} went to Redis`);
    ok(!/set aside/.test(fs.readFileSync(edge.log, 'utf8')),
        'none was set aside');
}

async function away({ house, load, rand }) {
    await house.stopRedis('SIGKILL');
    const there = load.accepted;
    await until(() => load.accepted > there + 32, 'the spool');
    await rest(rand() * AWAY);
}

async function back({ house, load }) {
    await house.startRedis('--appendfsync', 'always');
    const there = load.accepted;
    await until(() => load.accepted > there + 32, 'the edge');
}

async function kill(edge, n) {
    const victims = edge.processes().slice(0, n);
    victims.forEach((victim) => process.kill(victim, 'SIGKILL'));
    await until(() => !victims.some(alive) && edge.processes().length === 2,
        'other processes');
}

/* one of all connections of both processes, with what is on its way on it */
async function cut({ house, load, rand }) {
    const list = (await house.redis.client('LIST')).split('\n')
        .filter((line) => / name=sluice-nginx /.test(line))
        .map((line) => /^id=(\d+)/.exec(line)[1]);
    await house.redis.client('KILL', 'ID', list[Math.floor(rand() * list.length)])
        .catch(() => {});
    const there = load.accepted;
    await until(() => load.accepted > there + 32, 'the edge');
}

const redis = (name, connections) => ({
    name,
    times: 30,
    ...spool(name.replace(/\W+/g, '-'), connections),
    alerts: MISSING,
    async disturb(all) {
        await away(all);
        await back(all);
    },
    after: spooled,
});

faults(redis('spool kill Redis'), redis('spool kill Redis, 4 connections', 4), {
    name: 'spool kill one of 4 connections',
    ...spool('connection', 4),
    disturb: cut,
}, {
    name: 'spool silent Redis',
    times: 30,
    ...spool('silent'),
    async disturb({ house, load, rand }) {
        process.kill(house.server.pid, 'SIGSTOP');
        const there = load.accepted;
        await until(() => load.accepted > there + 64, 'the spool');
        await rest(rand() * AWAY);
        process.kill(house.server.pid, 'SIGCONT');
        await until(() => load.accepted > there + 200, 'the edge');
    },
    after: spooled,
}, {
    name: 'spool kill a process while Redis is away',
    times: 30,
    ...spool('process'),
    alerts: /exited on signal 9|connect\(\) to unix:.* failed \((2|11|111)/,
    async disturb(all) {
        await away(all);
        await kill(all.edge, 1);
        await back(all);
    },
    after: spooled,
}, {
    name: 'spool kill all processes, again while they replay',
    times: 20,
    ...spool('all'),
    alerts: /exited on signal 9|connect\(\) to unix:.* failed \((2|11|111)/,
    async disturb(all) {
        await away(all);
        await kill(all.edge, 2);
        await all.house.startRedis('--appendfsync', 'always');
        await rest(all.rand() * 50);
        await kill(all.edge, 2);
        const there = all.load.accepted;
        await until(() => all.load.accepted > there + 32, 'the edge');
    },
    after: spooled,
});
