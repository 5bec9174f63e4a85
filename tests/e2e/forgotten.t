#!/usr/bin/env node
'use strict';

/*
 * A Redis that is emptied over connections that stay: the edge enters its
 * queues into the registry again, of one server and of a cluster.
 */

const { run, ok, is, until, House, Edge } = require('./edge');
const { Cluster } = require('../worker/nodes');

const server = `
    location /one { sluice_verify none; sluice_enqueue q tenant=acme; }
    location /two { sluice_verify none; sluice_enqueue q tenant=acme redis=two; }
    location = /sluice/status { sluice_status; }
`;

run(async () => {
    const house = new House('forgotten');
    await house.startRedis('--appendonly', 'no');
    const cluster = await Cluster.start('forgotten', 3);
    const edge = await new Edge('edge', `unix:${house.socket}`, { server,
        options: 'timeout=10s',
        more: `sluice_redis ${cluster.url} name=two timeout=10s;` }).start();

    const post = async () => {
        const one = await edge.ask('POST', '/one', '{}');
        const two = await edge.ask('POST', '/two', '{}');
        return one.status === 200 && two.status === 200;
    };
    const listed = async () => [
        await house.redis.sismember('sluice:queues', '{acme}:q'),
        await cluster.redis.sismember('sluice:queues', '{acme}:q')];

    await until(post, 'two jobs');
    is(await listed(), [1, 1], 'the queues are registered');

    await house.redis.flushall();
    await Promise.all(cluster.masters.map((node) => node.redis.flushall()));
    await until(post, 'two jobs');
    console.log('# in the registries at once:', ...await listed());

    /* few requests, so that they are all of one connection and process */
    await until(async () => {
        await new Promise((done) => { setTimeout(done, 500); });
        return await post() && (await listed()).every((one) => one === 1);
    }, 'the registries', 60000);
    ok(true, 'and registered again after they were lost');
    is(await edge.stop(), 0, 'NGINX ends');
    is(edge.complaints(), [], 'no alert');
});
