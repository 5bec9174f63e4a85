#!/usr/bin/env node
'use strict';

/*
 * A real Redis that goes from one state of docs/redis.md to the next under
 * load.  Now and then the connections are lost as well, so that the edge is
 * greeted in that state.
 */

const fs = require('fs');
const path = require('path');
const { faults, until, BASE } = require('./fault');
const { walk, TIMEOUT } = require('./walk');
const { dir } = require('../e2e/edge');

const NOT_NOW = ['unable', 'away'];
const LOADING = 300;      /* ms, at least */

const config = (redis, ...all) => redis.config('SET', ...all);

const info = async (redis, what) => new RegExp(`${what}:(\\S+)`).exec(
    await redis.info('persistence'))[1];

const dump = (house) => path.join(dir, `${house.name}.redis`, 'dump.rdb');

/* makes snapshots until the last one went so */
const saves = (redis, how) => until(async () => {
    if (await info(redis, 'rdb_bgsave_in_progress') === '0') {
        if (await info(redis, 'rdb_last_bgsave_status') === how) {
            return true;
        }
        await redis.bgsave().catch(() => {});
    }
    return false;
}, `a snapshot: ${how}`);

/* the connections of the edge, one time of three; and ours, which come back */
async function loses({ house, rand }) {
    if (rand() < 1 / 3) {
        await house.redis.client('KILL', 'TYPE', 'normal');
    }
}

/* on a connection of its own, until it is over */
function beside(house, call) {
    const other = house.redis.duplicate();
    other.on('error', () => {});
    return call(other).catch(() => {}).finally(() => other.disconnect());
}

const setting = (name, says, on, off) => ({
    name,
    says,
    still: 200,
    async begin(all) {
        await config(all.house.redis, ...on);
        await loses(all);
    },
    end: ({ house }) => config(house.redis, ...off),
});

/* as another client may do by mistake */
const wrong = (key, says) => ({
    name: `a wrong type at ${key}`,
    says,
    whole: true,
    begin: ({ house }) => house.redis.eval(`
        if redis.call('EXISTS', KEYS[1]) == 1 then
            redis.call('RENAME', KEYS[1], KEYS[2])
        end
        return redis.call('SET', KEYS[1], 'x')`, 2, key, '{acme}:aside'),
    end: ({ house }) => house.redis.eval(`
        redis.call('DEL', KEYS[1])
        if redis.call('EXISTS', KEYS[2]) == 1 then
            redis.call('RENAME', KEYS[2], KEYS[1])
        end
        return 1`, 2, key, '{acme}:aside'),
});

const STATES = [{
    name: 'READONLY',
    says: NOT_NOW,
    still: 200,
    async begin(all) {
        await all.house.redis.replicaof('127.0.0.1', 1);
        await loses(all);
    },
    end: ({ house }) => house.redis.replicaof('NO', 'ONE'),
}, {
    name: 'LOADING',
    says: NOT_NOW,

    /* the file is made small, then each key takes its time */
    async begin(all) {
        const { redis } = all.house;
        await until(() => redis.bgrewriteaof().catch(() => null), 'a rewrite');
        await until(async () => await info(redis, 'aof_rewrite_in_progress')
            + await info(redis, 'aof_rewrite_scheduled') === '00',
        'a small AOF');
        const each = LOADING * 1000 / await redis.dbsize();
        await config(redis, 'key-load-delay',
            Math.round(each < 60 ? -60 / each : each));
        await loses(all);
        this.loaded = beside(all.house, (other) => other.debug('LOADAOF'));
    },
    async end({ house }) {
        await config(house.redis, 'key-load-delay', 0);
        await this.loaded;
    },
}, setting('OOM', NOT_NOW, ['maxmemory', 1], ['maxmemory', 0]), {
    name: 'MISCONF',
    says: NOT_NOW,
    still: 200,

    /* where the snapshot is to be there is a directory */
    async begin(all) {
        const { house } = all;
        fs.rmSync(dump(house), { force: true });
        fs.mkdirSync(dump(house));
        await saves(house.redis, 'err');
        await loses(all);
    },
    async end({ house }) {
        fs.rmdirSync(dump(house));
        await saves(house.redis, 'ok');
    },
}, {
    name: 'BUSY, SCRIPT KILL',
    says: NOT_NOW,
    still: 200,
    async begin(all) {
        await loses(all);
        this.ended = beside(all.house, (other) =>
            other.eval('while true do end', 0));
    },
    async end({ house }) {
        await until(() => house.redis.script('KILL').catch(() => null),
            'the script to be killed');
        await this.ended;
    },
}, {
    name: 'BUSY, it ends',
    says: NOT_NOW,
    async begin(all) {
        await loses(all);
        /* one that has written cannot be killed */
        this.ended = beside(all.house, (other) => other.eval(`
            redis.call('SET', 'busy', 1)
            for i = 1, 1e8 do end`, 0));
    },
    end() { return this.ended; },
}, {
    name: 'it stands still',
    says: ['away'],
    begin({ house }) {
        this.ended = beside(house, (other) => other.debug('SLEEP', 2 * TIMEOUT / 1000));
    },
    end() { return this.ended; },
}, {
    name: 'SCRIPT FLUSH',
    says: [],
    begin: ({ house }) => house.redis.script('FLUSH'),
    end: ({ house }) => house.redis.script('FLUSH', 'ASYNC'),
}, {
    name: 'NOPERM',
    says: NOT_NOW,
    still: 200,
    async begin(all) {
        await all.house.redis.acl('SETUSER', 'default', '-evalsha');
        await loses(all);
    },
    end: ({ house }) => house.redis.acl('SETUSER', 'default', '+evalsha'),
},
wrong(`${BASE}wait`, ['refused']),
wrong(`${BASE}id`, ['refused']),
wrong(`${BASE}events`, ['refused']),
wrong(`${BASE}meta`, ['refused']),
wrong('sluice:queues', []),
];

faults(...walk('Redis', STATES, {
    redis: ['--appendfsync', 'always', '--enable-debug-command', 'yes',
        '--lua-time-limit', '30', '--save', '86400 100000000',
        '--loading-process-events-interval-bytes', '1024'],
}));
