'use strict';

/*
 * Several Redis servers of a test's own, on free ports of the loopback: a
 * cluster with its slots moved, its nodes killed, and a master with replicas
 * and sentinels.
 */

const fs = require('fs');
const net = require('net');
const path = require('path');
const house = require('./house');

const { start, stop, until, dir, closing } = house;
const Redis = require(path.join(house.root, 'tests', 'interop', 'node_modules',
    'ioredis'));

/* what a client still asked of a server that is gone, or at the end */
process.on('unhandledRejection', (error) => {
    if (!/Connection is closed/.test(error && error.message)) {
        throw error;
    }
});

function free(port) {
    return new Promise((done) => {
        const server = net.createServer();
        server.on('error', () => done(0));
        server.listen(port, '127.0.0.1', () => {
            const got = server.address().port;
            server.close(() => done(got));
        });
    });
}

/* one whose bus, 10000 above it, is free as well */
async function freePort() {
    for (;;) {
        const port = await free(0);
        if (port && port <= 55535 && await free(port + 10000)) {
            return port;
        }
    }
}


/*
 * One server; it keeps its port and its files over a restart.  With `tls`, lines
 * of certificates, those that are tested come over TLS to `tested`, as servers
 * do to one another; the test itself does not.
 */

class Node {
    static async start(name, lines, mode = [], tls = null) {
        const node = new Node();
        node.port = await freePort();
        node.tested = tls ? await freePort() : node.port;
        node.home = path.join(dir, `${name}-${node.port}`);
        node.mode = mode;
        fs.mkdirSync(node.home, { recursive: true });
        node.conf = path.join(node.home, 'redis.conf');
        fs.writeFileSync(node.conf, ['bind 127.0.0.1', `port ${node.port}`,
            `dir ${node.home}`, 'save ""', 'logfile redis.log', ...lines,
            ...(tls ? [`tls-port ${node.tested}`, 'tls-auth-clients no',
                'tls-replication yes', ...tls] : []), ''].join('\n'));
        node.redis = new Redis({ port: node.port, host: '127.0.0.1',
            maxRetriesPerRequest: null, retryStrategy: () => 20 });
        node.redis.on('error', () => {});
        closing.push(() => node.redis.disconnect());
        await node.up();
        return node;
    }

    async up() {
        this.child = start('redis-server', [this.conf, ...this.mode]);
        await until(() => this.redis.ping().then((pong) => pong === 'PONG')
            .catch(() => false), `a server on port ${this.port}`);
    }

    kill(signal = 'SIGKILL') {
        return stop(this.child, signal);
    }

    async role() {
        return (await this.redis.role())[0];
    }
}


class Cluster {
    /* `n` masters with all slots among them, and replicas of the first ones */
    static async start(name, n = 3, replicas = 0, tls = null) {
        const cluster = new Cluster();
        cluster.nodes = [];
        for (let i = 0; i < n + replicas; i += 1) {
            cluster.nodes.push(await Node.start(name, ['cluster-enabled yes',
                'cluster-config-file nodes.conf', 'cluster-node-timeout 1000',
                'cluster-replica-validity-factor 0',
                ...(tls ? ['tls-cluster yes'] : [])], [], tls));
        }
        cluster.masters = cluster.nodes.slice(0, n);
        cluster.replica = cluster.nodes[n];

        for (let i = 0; i < cluster.nodes.length; i += 1) {
            await cluster.nodes[i].redis.cluster('SET-CONFIG-EPOCH', i + 1);
            cluster.nodes[i].id = await cluster.nodes[i].redis.cluster('MYID');
        }
        for (let i = 0; i < n; i += 1) {
            const slots = [];
            for (let slot = 0; slot < 16384; slot += 1) {
                if (Math.floor(slot * n / 16384) === i) {
                    slots.push(slot);
                }
            }
            await cluster.masters[i].redis.cluster('ADDSLOTS', ...slots);
        }
        for (const node of cluster.nodes.slice(1)) {
            await cluster.nodes[0].redis.cluster('MEET', '127.0.0.1',
                node.tested);
        }
        await cluster.agreed();
        for (let i = 0; i < replicas; i += 1) {
            const replica = cluster.nodes[n + i];
            await replica.redis.cluster('REPLICATE', cluster.nodes[i].id);
            await until(async () => /master_link_status:up/.test(
                await replica.redis.info('replication')), 'the replica');
        }

        cluster.url = `redis${tls ? 's' : ''}+cluster://${
            cluster.nodes.map((node) => `127.0.0.1:${node.tested}`).join(',')}`;
        cluster.redis = new Redis.Cluster(cluster.nodes.map((node) =>
            ({ host: '127.0.0.1', port: node.port })),
        { clusterRetryStrategy: () => 50, maxRedirections: 100,
            retryDelayOnFailover: 50, retryDelayOnTryAgain: 20,
            redisOptions: { maxRetriesPerRequest: null } });
        cluster.redis.on('error', () => {});
        closing.push(() => cluster.redis.disconnect());
        return cluster;
    }

    agreed() {
        return until(async () => {
            for (const node of this.nodes) {
                const info = await node.redis.cluster('INFO');
                if (!/cluster_state:ok/.test(info)
                    || !info.includes(`cluster_known_nodes:${this.nodes.length}`))
                {
                    return false;
                }
            }
            return true;
        }, 'a cluster', 30000);
    }

    /* the master that has the slot, as it says itself */
    async owner(slot) {
        for (const node of this.nodes) {
            const slots = await node.redis.cluster('SLOTS').catch(() => []);
            for (const [first, last, master] of slots) {
                if (first <= slot && slot <= last && master[2] === node.id) {
                    return node;
                }
            }
        }
        return null;
    }

    /* a slot and all that is in it */
    async move(slot, to) {
        const from = await until(() => this.owner(slot),
            `a node that has slot ${slot}`);
        if (from === to) {
            return;
        }
        /*
         * Who takes the slot takes a new epoch.  When another node has a later
         * one that it has not heard of, nodes may send clients in a circle.
         */
        await until(async () => new Set(await Promise.all(this.masters.map(
            async (node) => /cluster_current_epoch:(\d+)/.exec(
                await node.redis.cluster('INFO'))[1]))).size === 1,
        'one epoch');
        await to.redis.cluster('SETSLOT', slot, 'IMPORTING', from.id);
        await from.redis.cluster('SETSLOT', slot, 'MIGRATING', to.id);
        for (;;) {
            const keys = await from.redis.cluster('GETKEYSINSLOT', slot, 10);
            if (keys.length === 0) {
                break;
            }
            await from.redis.call('MIGRATE', '127.0.0.1', to.tested, '', 0, 5000,
                'KEYS', ...keys);
        }
        for (const node of new Set([to, from, ...this.masters])) {
            await node.redis.cluster('SETSLOT', slot, 'NODE', to.id);
        }
    }
}


/* a master, its replicas, and sentinels that agree by a majority */

class Watched {
    static async start(name, replicas = 1, sentinels = 3, tls = null) {
        const watched = new Watched();
        watched.name = 'mymaster';
        const master = await Node.start(name, [], [], tls);
        watched.servers = [master];
        for (let i = 0; i < replicas; i += 1) {
            watched.servers.push(await Node.start(name,
                [`replicaof 127.0.0.1 ${master.tested}`], [], tls));
        }
        for (const server of watched.servers.slice(1)) {
            await until(async () => /master_link_status:up/.test(
                await server.redis.info('replication')), 'a replica');
        }
        watched.sentinels = [];
        for (let i = 0; i < sentinels; i += 1) {
            watched.sentinels.push(await Node.start(name, [
                `sentinel monitor ${watched.name} 127.0.0.1 ${master.tested} ${
                    Math.floor(sentinels / 2) + 1}`,
                `sentinel down-after-milliseconds ${watched.name} 1000`,
                `sentinel failover-timeout ${watched.name} 5000`,
                ], ['--sentinel'], tls));
        }
        for (const sentinel of watched.sentinels) {
            await until(async () => (await sentinel.redis.call('SENTINEL',
                'sentinels', watched.name)).length === sentinels - 1
                && (await sentinel.redis.call('SENTINEL', 'replicas',
                    watched.name)).length === replicas, 'the sentinels', 30000);
        }
        watched.url = `redis${tls ? 's' : ''}+sentinel://${
            watched.sentinels.map((sentinel) => `127.0.0.1:${sentinel.tested}`)
                .join(',')}/${watched.name}`;
        watched.connection = { name: watched.name, maxRetriesPerRequest: null,
            retryStrategy: () => 50, sentinelRetryStrategy: () => 50,
            sentinels: watched.sentinels.map((sentinel) =>
                ({ host: '127.0.0.1', port: sentinel.port })) };
        return watched;
    }

    /* the one that is master now and has said so */
    async master() {
        for (const server of this.servers) {
            if (server.child.code === undefined
                && await server.role() === 'master')
            {
                return server;
            }
        }
        return null;
    }
}

module.exports = { Node, Cluster, Watched };
