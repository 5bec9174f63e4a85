#!/usr/bin/env node
'use strict';

/*
 * The clock of the worker's host is set forward and back by an hour, again and
 * again: no lease is lost, and Redis' clock decides when a delayed job is due.
 */

const fs = require('fs');
const path = require('path');
const { Scene, Course, run, is, ok, dir, rest, random, BASE, EVENTS, TIMES }
    = require('./steps');

const scene = new Scene('clock');
const OFFSETS = ['+3600', '-3600', '+0'];

/* Debian's libfaketime */
function library() {
    for (const place of fs.readdirSync('/usr/lib')) {
        const file = `/usr/lib/${place}/faketime/libfaketime.so.1`;
        if (fs.existsSync(file)) {
            return file;
        }
    }
    return null;
}

async function steps() {
    const course = new Course(scene, 'clock');
    const file = path.join(dir, 'offset');
    const events = Math.ceil(EVENTS / 10) || 400;
    const times = Math.ceil(TIMES / 4) || 12;
    const set = (offset) => fs.writeFileSync(file, `${offset}\n`);

    set(OFFSETS[0]);
    const worker = course.worker('', { LD_PRELOAD: library(),
        FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1' });
    await worker.ready();
    for (let n = 1; n <= times; n += 1) {
        await course.add(Math.ceil(events / times), (i) => (i % 2
            ? { delay: 1 + random(1500) } : {}));
        await rest(100 + random(200));
        set(OFFSETS[n % 3]);
    }
    await course.finished();
    await course.recorded();

    const shown = worker.lines('sent').map((line) => Date.parse(line.time)
        - Date.now());
    ok(Math.max(...shown) > 3e6 && Math.min(...shown) < -3e6,
        'the clock of the worker was set');
    is([worker.lines('lease_lost').length, worker.lines('stalled').length],
        [0, 0], 'no lease is lost');
    const late = [];
    for (const id of course.ids) {
        const [at, delay, started] = await course.redis.hmget(BASE + id,
            'timestamp', 'opts', 'processedOn');
        late.push(+started - +at - (JSON.parse(delay).delay || 0));
    }
    ok(Math.min(...late) >= 0, 'none is started before it is due', late);
    late.sort((a, b) => a - b);
    console.log(`# started after it was due: ${late[late.length >> 1]} ms in the`
        + ` middle, ${late[late.length - 1]} at most`);
    is(await worker.stop(), 0, 'it ends with 0');
    course.kills = times;
    await course.check(await scene.accepted());
}

run(async () => {
    if (!library()) {
        ok(true, 'the clock # SKIP no libfaketime');
        return;
    }
    await scene.start();
    await steps();
    await scene.stop();
});
