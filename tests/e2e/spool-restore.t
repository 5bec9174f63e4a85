#!/usr/bin/env node
'use strict';

/*
 * What Redis refused for itself is set aside by the edge; sluicectl brings it
 * back when what was wrong is mended, in order and once.
 */

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { run, ok, is, until, root, dir, House, Edge, counted, jobs } = require('./edge');

const WAIT = '{acme}:counted:wait';

run(async () => {
    const house = new House('restore');
    const spool = path.join(dir, 'restore.spool');
    const files = (kind) => fs.readdirSync(spool)
        .filter((file) => file.endsWith(kind));
    const ctl = (...args) => {
        const done = spawnSync(path.join(root, 'build', 'sluicectl'),
            ['--json', 'spool', ...args], { encoding: 'utf8' });
        return { code: done.status, err: done.stderr,
            ...(done.status === 0 && { out: JSON.parse(done.stdout) }) };
    };

    await house.startRedis('--appendfsync', 'always');
    const edge = await new Edge(house.name, `unix:${house.socket}`,
        { options: 'timeout=1s', more: `sluice_spool ${spool} size=1g;` })
        .start();

    await house.redis.set(WAIT, 'of another type');
    await house.stopRedis();

    const ids = ['5', '3', '4', '1', '2'];
    for (const id of ids) {
        is((await counted(edge, id)).status, 200, `event ${id}`);
    }
    is(ctl('list', spool).out.map(({ kind, jobs: n, damaged, held }) =>
        [kind, n, damaged, held]), [['spool', 5, 0, true]], 'all wait');

    await house.startRedis('--appendfsync', 'always');
    await until(() => files('.spool').length === 0 && files('.bad').length === 1,
        'Redis to refuse them');
    const [bad] = files('.bad').map((file) => path.join(spool, file));
    is(ctl('show', bad).out.jobs.map(({ id, queue }) => [id, queue]),
        ids.map((id) => [`e-${id}`, '{acme}:counted']), 'all were set aside');
    is(ctl('list', spool).out.map(({ kind, jobs: n, damaged }) =>
        [kind, n, damaged]), [['bad', 5, 0]], 'none is damaged');

    is(ctl('restore', bad).code, 0, 'restored too early');
    await until(() => files('.spool').length === 0 && files('.bad').length === 1,
        'Redis to refuse them again');
    const [again] = files('.bad').map((file) => path.join(spool, file));
    ok(again !== bad, 'in another file');

    await house.redis.del(WAIT);
    is(ctl('restore', again).code, 0, 'restored');
    await until(() => files('.spool').length === 0, 'the replay');
    is((await jobs(house.redis)).reverse(), ids, 'all are there, in order');
    is(files('.bad'), [], 'nothing is set aside');

    /* a worker is done with them, and the same is restored once more */
    await house.redis.del(WAIT, ...ids.map((id) => `{acme}:counted:e-${id}`));
    fs.renameSync(again.replace(/bad$/, 'restored'), again);
    is(ctl('restore', again).code, 0, 'restored twice');
    await until(() => files('.spool').length === 0, 'the replay');
    is(await jobs(house.redis), [], 'nothing is run twice');

    is(edge.complaints(/connect\(\)/), [], 'no alert');
    is(await edge.stop(), 0, 'NGINX ends');
    await house.stopRedis();
});
