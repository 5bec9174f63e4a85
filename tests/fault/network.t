#!/usr/bin/env node
'use strict';

/*
 * What happens on the way to Redis, over TCP and over TLS: connections that are
 * dead without a word, closed, cut in the middle of a call or of a reply, and
 * answers that come late or never.
 */

const { spawnSync } = require('child_process');
const path = require('path');
const { fault, run, until } = require('./fault');
const { walk, TIMEOUT } = require('./walk');
const { Door } = require('./door');
const { freePort, closing, dir } = require('../e2e/edge');

const CUTS = 3;           /* a time */
const BYTES = 4000;       /* of a call or a reply, at most, before it is cut */

const door = (state) => ({
    name: state,
    says: ['away'],
    still: TIMEOUT,
    begin: ({ house }) => house.door.set(state),
    end: ({ house }) => house.door.set('open'),
});

const cut = (to, name) => ({
    name,
    says: ['away'],
    met: 1,
    async begin({ house, rand }) {
        for (let n = 0; n < CUTS; n += 1) {
            const before = house.door.cuts;
            house.door.cut(to, Math.floor(rand() ** 2 * BYTES));
            await until(() => house.door.cuts > before, 'a cut');
        }
    },
    end() {},
});

const STATES = [
    { ...door('lost'), name: 'half-open' },
    { ...door('deaf'), name: 'no answer comes' },
    { ...door('held'), name: 'answers after the timeout' },
    { ...door('closed'), name: 'closed' },
    cut('edge', 'a reply is cut'),
    cut('redis', 'a call is cut'),
];

const ALWAYS = ['--appendfsync', 'always'];

function certificate() {
    const file = path.join(dir, 'redis');
    const done = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec',
        '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30',
        '-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1',
        '-keyout', `${file}.key`, '-out', `${file}.pem`]);
    if (done.status !== 0) {
        throw new Error(String(done.stderr));
    }
    return file;
}

run(async () => {
    const opened = (house, from, to) => {
        house.door = new Door(from, to);
        closing.push(() => house.door.close());
    };

    for (const one of walk('the way', STATES)) {
        const port = await freePort();
        await fault({ ...one, redis: ALWAYS, reach(house) {
            opened(house, { port, host: '127.0.0.1' }, { path: house.socket });
            return `redis://127.0.0.1:${port}`;
        } });
    }

    const file = certificate();
    for (const one of walk('TLS', STATES,
        { options: `tls_ca=${file}.pem` }))
    {
        const port = await freePort();
        const tls = await freePort();
        await fault({ ...one, redis: [...ALWAYS, '--tls-port', tls,
            '--bind', '127.0.0.1', '--tls-cert-file', `${file}.pem`,
            '--tls-key-file', `${file}.key`, '--tls-ca-cert-file',
            `${file}.pem`, '--tls-auth-clients', 'no'],
        reach(house) {
            opened(house, { port, host: '127.0.0.1' },
                { port: tls, host: '127.0.0.1' });
            return `rediss://127.0.0.1:${port}`;
        } });
    }
});
