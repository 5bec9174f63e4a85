#!/usr/bin/env node
'use strict';

/*
 * Worker processes killed while a full limit zone is used as fast as it goes,
 * so that now and then one dies with the zone's lock in its hand.  The others
 * go on: no request hangs, no process spins, limits hold.
 */

const fs = require('fs');
const { spawn } = require('child_process');
const { run, ok, is, until, TIMES } = require('./fault');
const { House, Edge, alive, random, freePort, dir, SEED } =
    require('../e2e/edge');

const KILLS = TIMES * 10;
const KEYS = 5000;        /* of which 64 KB hold less than 500 */
const PAUSE = 10;         /* ms between two kills at most */

const SCRIPT = `
request = function()
    return wrk.format("GET", "/limited?k=" .. math.random(${KEYS}))
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
        more: 'sluice_limit_zone $arg_k zone=k:64k;',
        server: `listen 127.0.0.1:${port};
            location = /limited {
                sluice_limit zone=k rate=10r/s burst=10 early;
                sluice_respond 200 in;
            }
            location = /strict {
                sluice_limit zone=k rate=1r/h early;
                sluice_respond 200 in;
            }
            location = /sluice/status { sluice_status; }`,
    }).start();

    fs.writeFileSync(`${dir}/zone.lua`, SCRIPT);
    const load = spawn('wrk', ['-t1', '-c32', '-d600s', '--timeout', '30s',
        '-s', `${dir}/zone.lua`, `http://127.0.0.1:${port}/`],
    { stdio: 'ignore' });
    const ended = new Promise((done) => { load.on('exit', done); });

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

    const log = fs.readFileSync(edge.log, 'utf8');
    const locked = log.match(/zone "k" was locked by/g) || [];
    console.log(`# ${KILLS} kills, ${locked.length} under the zone's lock`);
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

    const list = edge.processes();
    const before = list.map(ticks);
    await rest(500);
    ok(list.every((pid, i) => ticks(pid) - before[i] < 10), 'no process spins');
    is(await edge.stop(), 0, 'it ends with 0');
});
