#!/usr/bin/env node
'use strict';

/*
 * Redis is killed in the middle of writing the AOF: of a call from which the
 * edge never got an answer a half is in the file.  The event was answered 200
 * from the spool, and is in Redis once after two more starts.
 */

const fs = require('fs');
const path = require('path');
const { run, ok, is, until } = require('./fault');
const { Door } = require('./door');
const { House, Edge, counted, jobs, dir } = require('../e2e/edge');

run(async () => {
    const house = new House('torn');
    const spool = path.join(dir, 'torn.spool');
    const socket = path.join(dir, 'torn.door');
    const door = new Door(socket, house.socket);

    await house.startRedis('--appendfsync', 'always');
    const edge = await new Edge(house.name, `unix:${socket}`,
        { options: 'timeout=500ms', more: `sluice_spool ${spool} size=1g;` })
        .start();

    is((await counted(edge, '1')).status, 200, 'an event');

    door.set('deaf');
    is((await counted(edge, '2')).status, 200, 'one whose answer is lost');
    door.set('closed');
    is((await edge.status()).events.spooled, 1, 'is spooled');
    is((await jobs(house.redis)).length, 2, 'and was run');

    await house.stopRedis('SIGKILL');
    const aof = path.join(dir, 'torn.redis', 'appendonlydir');
    const [name] = fs.readdirSync(aof).filter((file) => /incr/.test(file));
    const file = path.join(aof, name);
    const at = fs.readFileSync(file).lastIndexOf('PEXPIREAT');
    ok(at > 0, 'half of it is in the file');
    fs.truncateSync(file, at);

    await house.startRedis('--appendfsync', 'always');
    await house.redis.set('another', 'client');
    await house.redis.multi().set('a', '1').set('b', '2').exec();
    await house.stopRedis('SIGKILL');
    await house.startRedis('--appendfsync', 'always');

    door.set('open');
    await until(() => !fs.readdirSync(spool).some((one) =>
        one.endsWith('.spool')), 'nothing in the spool', 30000);
    is((await jobs(house.redis)).sort(), ['1', '2'], 'both are there, once');

    is(await edge.stop(), 0, 'NGINX ends');
    door.close();
    await house.stopRedis();
});
