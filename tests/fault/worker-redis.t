#!/usr/bin/env node
'use strict';

/*
 * A Redis with appendfsync always that is restarted, and killed, under load:
 * every message is sent, and none twice while its lease holds.
 */

const { Scene, Course, run, is, until, rest, random, BASE, EVENTS, TIMES }
    = require('./steps');

const AWAY = 300;        /* ms that Redis stays away at most */

const scene = new Scene('restarted');

async function load(name, signal) {
    const course = new Course(scene, name, { lock: '2s', stalled: '500ms' });
    const events = Math.ceil(EVENTS / 2) || 2000;
    const times = Math.min(TIMES || 3, 50);
    const worker = course.worker();

    await worker.ready();
    const fed = (async () => {
        while (course.ids.length < events) {
            await course.add(Math.ceil(events / 100));
            await rest(5);
        }
    })();
    for (let n = 1; n <= times; n += 1) {
        const goal = Math.floor(events * (n - random(100) / 100) / (times + 1));
        await until(async () => await course.redis.zcard(`${BASE}completed`)
            >= goal, `${name}: ${goal} jobs`, 600000);
        await scene.house.stopRedis(signal);
        await rest(random(AWAY));
        await scene.house.startRedis('--appendfsync', 'always',
            '--databases', '100');
    }
    await fed;
    await course.finished();
    await course.recorded();
    is(worker.lines('redis_ready').length > 3, true, `${name}: it came back`);
    is(await worker.stop(), 0, `${name}: it ends with 0`);
    course.kills = times;
    await course.check(await scene.accepted());
}

run(async () => {
    await scene.start('--delay', '5');
    await load('Redis restarts', 'SIGTERM');
    await load('Redis is killed', 'SIGKILL');
    await scene.stop();
});
