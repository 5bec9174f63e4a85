'use strict';

/*
 * The edge and the senders' own libraries: what they sign the edge accepts,
 * what they refuse it refuses.  Libraries that only verify are asked about
 * what is signed here, so that both say the same of it.
 *
 *   node tests/interop/sdk.js
 */

const fs = require('fs');
const path = require('path');
const tap = require('../lua/tap');
const nginx = require('./nginx')('sdk');
const { SECRET, senders } = require('./sdk/senders');

const settled = (fn) => Promise.resolve().then(fn)
    .then((value) => value === true, () => false);

const locations = (all) => Object.entries(all).map(([name, one], i) => {
    const file = path.join(nginx.dir, `secret-${i}`);
    fs.writeFileSync(file, `${one.secret || SECRET}\n`, { mode: 0o600 });
    return `location = /${i} { sluice_verify ${one.scheme || name}
            secret=file:${file} ${one.conf || ''};
            sluice_respond 200 taken; }`;
}).join('\n');

const ask = (target, body, headers) => nginx.ask('POST', target, body,
    { Host: 'hooks.example.com', ...headers });

/* One character in the middle is another, in whatever encoding. */

function altered(value) {
    const middle = value.length >> 1;

    return value.slice(0, middle) + (value[middle] === 'b' ? 'c' : 'b')
        + value.slice(middle + 1);
}

async function both(name, one, location) {
    const body = one.body || '{"id":"ev_1","object":"event","type":"a.b"}';
    const target = location + (one.query ? one.query(body) : '');
    const type = { 'Content-Type': one.type || 'application/json' };
    const signed = await one.sign(body, target);

    const judged = async (what, expected, text, headers) => {
        const { status } = await ask(target, text, { ...type, ...headers });

        tap.is(status, expected ? 200 : 401,
            `${name}: ${what}, ${expected ? 'taken' : 'refused'}`);
        tap.is(await settled(() => one.verify(text, headers, target)),
            expected, `${name}: ${what}, the library says so, too`);
    };

    await judged('signed', true, body, signed);

    if (!one.tokenOnly) {
        await judged('another body', false, body.replace('ev_1', 'xxxx'),
            signed);
    }

    for (const field of Object.keys(signed)) {
        const without = { ...signed };
        delete without[field];
        await judged(`without ${field}`, false, body, without);
        await judged(`another ${field}`, false, body,
            { ...signed, [field]: altered(signed[field]) });
    }

    if (one.handshake) {
        const headers = await one.sign(one.handshake, target);
        const answer = await ask(target, one.handshake,
            { ...type, ...headers });
        const sorted = (object) => Object.entries(object).sort();

        tap.is(sorted(JSON.parse(answer.body)), sorted(await one.answer(
            one.handshake, headers)), `${name}: the library's answer`);
    }
}

async function main() {
    const all = await senders();

    await nginx.serve('', locations(all), async () => {
        let location = 0;
        for (const [name, one] of Object.entries(all)) {
            await both(name, one, `/${location}`);
            location += 1;
        }
    });
}

tap.run(main);
