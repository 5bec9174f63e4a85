#!/usr/bin/env node
'use strict';

/*
 * Worker processes killed while a full limit zone is used as fast as it goes,
 * and a tenant table that is too large for its zone changes all the time, so
 * that now and then one dies with a zone's lock in its hand.  The others go on:
 * no request hangs, no process spins, limits hold, tenants are found.
 */

const fs = require('fs');
const { spawn } = require('child_process');
const { run, ok, is, until, TIMES } = require('./fault');
const { change } = require('./whole');
const { House, Edge, alive, random, freePort, dir, SEED } =
    require('../e2e/edge');

const KILLS = TIMES * 10;
const KEYS = 5000;        /* of which 64 KB hold less than 500 */
const PAUSE = 10;         /* ms between two kills at most */
const CHANGE = 20;        /* ms between two changes of all tenants */

const SCRIPT = `
request = function()
    local where = math.random(4) == 1 and "/tenant?k=tenant-" or "/limited?k="
    return wrk.format("GET", where .. math.random(${KEYS}))
end`;

const rest = (ms) => new Promise((done) => { setTimeout(done, ms); });

/* clock ticks of the process */
const ticks = (pid) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    .split(') ')[1].split(' ').slice(11, 13)
    .reduce((all, n) => all + Number(n), 0);

run(async () => {
    console.log(`# FAULT_SEED=${SEED}`);
    const rand = random(SEED);
    const port = await freePort();
    const house = new House('zone');
    await house.startRedis();
    const edge = await new Edge('zone', `unix:${house.socket}`, {
        more: `sluice_limit_zone $arg_k zone=k:64k;
            sluice_tenants zone=t:64k refresh=100ms;`,
        server: `listen 127.0.0.1:${port};
            location = /limited {
                sluice_limit zone=k rate=10r/s burst=10 early;
                sluice_respond 200 in;
            }
            location = /strict {
                sluice_limit zone=k rate=1r/h early;
                sluice_respond 200 in;
            }
            location = /tenant {
                sluice_tenant $arg_k;
                sluice_respond 200 in;
            }
            location = /sluice/status { sluice_status; }`,
    }).start();

    fs.writeFileSync(`${dir}/zone.lua`, SCRIPT);
    const load = spawn('wrk', ['-t1', '-c32', '-d600s', '--timeout', '30s',
        '-s', `${dir}/zone.lua`, `http://127.0.0.1:${port}/`],
    { stdio: 'ignore' });
    const ended = new Promise((done) => { load.on('exit', done); });

    let changes = 0;
    let over = false;
    const changing = (async () => {
        while (!over) {
            changes += 1;
            await change(house.redis, changes);
            await rest(CHANGE);
        }
    })();

    for (let n = 0; n < KILLS; n += 1) {
        await rest(rand() * PAUSE);
        const list = edge.processes();
        const victim = list[Math.floor(rand() * list.length)];
        process.kill(victim, 'SIGKILL');
        await until(() => !alive(victim) && edge.processes().length === 2,
            'another process');
    }

    load.kill('SIGKILL');
    await ended;
    over = true;
    await changing;

    const log = fs.readFileSync(edge.log, 'utf8');
    const locked = (zone) => log.split(`zone "${zone}" was locked by`).length - 1;
    console.log(`# ${KILLS} kills, ${locked('k')} under the lock of the limits, ${
        locked('t')} under that of the tenants, which changed ${changes} times`);
    is((log.match(/exited on signal (?!9)\d+/g) || []), [],
        'no process died of anything else');
    is(edge.complaints(/exited on signal 9|zone "\w+" was locked by/), [],
        'no other alert');

    const answers = await Promise.all(Array.from({ length: 2000 }, (_, i) =>
        Promise.race([edge.get(`/limited?k=x${i}`),
            rest(10000).then(() => ({ status: 0 }))])));
    is(answers.filter(({ status }) => status !== 200).length, 0,
        'fresh keys pass');
    is([(await edge.get('/strict?k=strict')).status,
        (await edge.get('/strict?k=strict')).status], [200, 429],
    'a limit holds');

    await change(house.redis, 0, 2);
    await until(async () => (await edge.get('/tenant?k=acme')).status === 200
        && (await edge.get('/tenant?k=tenant-2')).status === 404,
    'the tenants as they are');
    ok(true, 'tenants are found');

    const list = edge.processes();
    const before = list.map(ticks);
    await rest(500);
    ok(list.every((pid, i) => ticks(pid) - before[i] < 10), 'no process spins');
    is(await edge.stop(), 0, 'it ends with 0');
});
