/*
 * Whoever sends requests to the edge does not find out who is a tenant: an
 * unknown or disabled tenant, and one without a secret of the scheme, get the
 * answer of a bad signature, byte for byte but for its date, for the same
 * instructions of NGINX, within 1 % (callgrind).
 *
 *   node tests/constant/edge.js [SCHEME...]
 */

'use strict';

const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { callgrind, dump, zero } = require('../../bench/callgrind');
const {
    ROOT, freePort, freshDir, nginxConf, startNginx, startRedis, stop,
    stopAll, until,
} = require('../../bench/house');
const tap = require('../lua/tap');

const WARM = 10;
const SIGNED = 10;
/* few where a check is dear: what comes once a second or a minute vanishes */
const TIMES = 20;
const DEAR = 5;
const SECRET = 'a secret of some usual length';
const ANOTHER = 'the secret of somebody else..';
const WHSEC = (secret) => `whsec_${Buffer.from(secret).toString('base64')}`;
const BODY = '{"id":"ev_1","type":"a.b","webhookTimestamp":'
    + `${Date.now()},"data":"${'x'.repeat(400)}"}`;
const FORM = `MessageSid=SMxx&From=%2B15550001&Body=${'a+b%20'.repeat(60)}`;
const CTL = path.join(ROOT, 'build', 'sluicectl');

const dir = freshDir('constant');

/* the tenant's, and what a sender signs with, of the right and another one */
const pair = (type, options, form) => {
    const [right, another] = [0, 1].map((i) => {
        const { publicKey, privateKey } = crypto.generateKeyPairSync(type,
            options);
        const file = path.join(dir, `${type}-${form}-${i}.pem`);

        fs.writeFileSync(file, privateKey.export({ type: 'pkcs8',
            format: 'pem' }));

        return { file: `file:${file}`, value: form === 'hex'
            ? publicKey.export({ type: 'spki', format: 'der' })
                .subarray(-32).toString('hex')
            : form === 'pem'
                ? publicKey.export({ type: 'spki', format: 'pem' })
                : publicKey.export({ type: 'spki', format: 'der' })
                    .toString('base64') };
    });

    return { value: right.value, right: right.file, another: another.file,
        times: DEAR };
};

const shared = (form = (text) => text) => ({ value: form(SECRET),
    right: form(SECRET), another: form(ANOTHER) });

/* a kind of check each; by another name where a scheme is here twice */
const ROWS = {
    meta: shared(),
    twilio: { ...shared(), body: FORM,
        type: 'application/x-www-form-urlencoded',
        settings: ['public_url=https://hooks.example.com/'] },
    stripe: shared(),
    standard: { ...shared(WHSEC), sign: ['event=msg_1'] },
    square: { ...shared(), settings: ['public_url=https://h.example.com/'] },
    linear: { ...shared(), settings: ['tolerance=1h'] },
    telegram: shared(),
    vonage: shared(),
    evolution: shared(),
    discord: pair('ed25519', {}, 'hex'),
    sendgrid: pair('ec', { namedCurve: 'P-256' }, 'base64'),
    jwt: { ...pair('rsa', { modulusLength: 2048 }, 'pem'),
        settings: ['algorithms=RS256'] },
    api_key: { ...shared(), key: true, settings: ['header=X-Key'] },
};

/* paths of one length; what the table says of each */
const WHO = {
    /* a key is of one tenant only */
    known: (row, name, more = '') => (row.key
        ? { api_keys: [crypto.createHash('sha256').update(row.value + more)
            .digest('hex')] }
        : { secrets: [{ scheme: name, value: row.value }] }),
    blank: () => ({ secrets: [{ scheme: 'hmac', value: SECRET }] }),
    ended: (row, name) => ({ ...WHO.known(row, name, '2'), enabled: false }),
    alien: null,
};

const SAID = { known: 'a bad signature', blank: 'no secret of the scheme',
    ended: 'a disabled tenant', alien: 'an unknown tenant' };

function tenants(rows) {
    const all = rows.flatMap(([name, row]) => Object.entries(WHO)
        .filter(([, entry]) => entry)
        .map(([who, entry]) => ({ id: `${name}-${who}`,
            paths: [`/${name}/${who}`], ...entry(row, name) })));

    return all.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}

/*
 * The bytes of a request to each path: one write, and so one read of NGINX's.
 * No two bodies are the same: what a check by a public key costs goes with the
 * digest.
 */
function signed(name, row, secret, n = 0) {
    const body = (row.body || BODY).replace('xx', String(n).padStart(2, '0'));
    const type = row.type || 'application/json';
    const lines = execFileSync(CTL, ['sign', name, ...row.settings || [],
        ...row.sign || [], `secret=${secret}`, `content_type=${type}`,
        'url=https://h.example.com/'], { input: body, encoding: 'utf8' });

    return (who) => Buffer.from([`POST /${name}/${who} HTTP/1.1`,
        'Host: hooks.example.com', `Content-Type: ${type}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        ...lines.trim().split('\n'), '', body].join('\r\n'));
}

function client(port) {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    let wanted = null;
    let text = '';

    socket.on('error', (error) => wanted && wanted.reject(error));
    socket.on('close', () => wanted && wanted.reject(new Error('closed')));
    socket.on('data', (data) => {
        text += data.toString('latin1');

        const head = text.indexOf('\r\n\r\n');
        const length = /^content-length: (\d+)/im.exec(text);

        if (head !== -1 && text.length === head + 4 + Number(length[1])) {
            const answer = text;
            text = '';
            wanted.resolve(answer);
        }
    });

    return {
        ask: (bytes) => new Promise((resolve, reject) => {
            wanted = { resolve, reject };
            socket.write(bytes);
        }),
        close: () => { wanted = null; socket.destroy(); },
    };
}

async function compare(name, row, port, nginx) {
    const profile = path.join(dir, 'profile');
    const right = signed(name, row, row.right);
    const bad = Array.from({ length: SIGNED }, (_, i) =>
        signed(name, row, row.another, i));
    const { ask, close } = client(port);
    const times = SIGNED * (row.times || TIMES);
    const answers = {};
    const cost = {};

    tap.is((await ask(right('known'))).slice(0, 12), 'HTTP/1.1 200',
        `${name}: signed, taken`);

    for (const who of Object.keys(WHO)) {
        const all = bad.map((one) => one(who));

        for (let i = 0; i < WARM; i++) {
            answers[who] = (await ask(all[0])).replace(/^Date: .*\r\n/m, '');
        }

        zero(nginx.pid);

        for (let i = 0; i < times; i++) {
            await ask(all[i % SIGNED]);
        }

        cost[who] = dump(nginx.pid, profile) / times;
    }

    tap.is(answers.known.slice(0, 12), 'HTTP/1.1 401',
        `${name}: signed with another, refused`);

    for (const who of Object.keys(WHO).slice(1)) {
        const difference = 100 * (cost[who] / cost.known - 1);

        tap.is(answers[who], answers.known, `${name}: ${SAID[who]}, answer`);
        tap.ok(Math.abs(difference) < 1, `${name}: ${SAID[who]}: `
            + `${Math.round(cost[who])} instructions, ${SAID.known}: `
            + `${Math.round(cost.known)}: ${difference.toFixed(2)} %`);
    }

    close();
}

async function main() {
    const rows = Object.entries(ROWS).filter(([name]) =>
        process.argv.length < 3 || process.argv.includes(name));
    const redis = await startRedis(dir);
    const port = await freePort();
    const table = path.join(dir, 'tenants');
    const locations = rows.map(([name, row]) => `location /${name}/ {
        sluice_tenant $uri by=path;
        sluice_verify ${name} secret=tenant ${(row.settings || []).join(' ')};
        sluice_respond 200 taken;
    }`);

    fs.writeFileSync(table, tenants(rows));
    execFileSync(CTL, ['-r', `unix:${redis.socket}`, 'tenants', 'import',
        table]);

    const nginx = await startNginx(dir, nginxConf(dir, port, `
        sluice_redis unix:${redis.socket} timeout=60s;
        sluice_tenants zone=tenants:1m refresh=1h;
        server { listen 127.0.0.1:${port}; ${locations.join('\n')} }`,
        'worker_processes 1; master_process off;'), port,
    { command: [...callgrind(path.join(dir, 'profile')), 'nginx'],
        single: true });

    await until('the table', async () => {
        const { ask, close } = client(port);
        const answer = await ask(signed(...rows[0], rows[0][1].right)('known'));
        close();
        return answer.startsWith('HTTP/1.1 200');
    }, nginx.child);

    for (const [name, row] of rows) {
        await compare(name, row, port, nginx);
    }

    await stop(nginx.child);
}

tap.run(async () => {
    try {
        await main();
    } finally {
        await stopAll();
    }
});
