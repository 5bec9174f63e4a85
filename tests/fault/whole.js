'use strict';

/*
 * An edge with all that is shared or kept: a spool, a tenant table whose zone
 * is too small for it and that changes again and again, and limit zones, one of
 * them too small for its keys.
 */

const path = require('path');
const { ok, until, emptied } = require('./fault');
const { dir } = require('../e2e/edge');

const TENANTS = 1000;     /* of which 64 KB hold less than 100 */

const BURST = 20000;      /* 2 s, more than the clocks of processes differ */

const place = (name) => path.join(dir, `${name.replace(/\W+/g, '-')}.spool`);

const entry = (id, burst) => JSON.stringify({ id, rate: '10000r/s', burst,
    secrets: [{ scheme: 'meta', value: `${id}-app-secret` }] });

/* acme has to be there before the others, to have room */
async function change(redis, more, n = TENANTS) {
    const burst = BURST + more;
    const fields = ['acme', entry('acme', burst)];
    for (let i = 1; i < n; i += 1) {
        fields.push(`tenant-${i}`, entry(`tenant-${i}`, burst));
    }
    await redis.multi().del('sluice:tenants').hset('sluice:tenants', ...fields)
        .incr('{sluice:tenants}:version').exec();
}

const table = async (edge) => (await edge.status()).tenants[0];

const few = (edge) => until(async () => (await table(edge)).tenants === 2,
    'few tenants');

/* around what makes the zones anew */
async function renew({ house, edge, n }, act) {
    await change(house.redis, n, 2);
    await few(edge);
    await act();
    await few(edge);
    await change(house.redis, n);
}

/* options of fault(); `after` is for the class' own */
const whole = (name) => ({
    name,
    edge: {
        options: 'timeout=500ms',
        more: `sluice_spool ${place(name)} size=2g;
            sluice_tenants zone=t:64k refresh=100ms;
            sluice_limit_zone $sluice_tenant zone=tenants:64k;
            sluice_limit_zone $http_x_event_id zone=events:64k;`,
        server: `
            location /counted/ {
                sluice_tenant  acme;
                sluice_verify  meta secret=tenant;
                sluice_limit   zone=tenants rate=$sluice_tenant_rate
                               burst=$sluice_tenant_burst;
                sluice_limit   zone=events rate=1000r/s burst=10;
                sluice_enqueue counted id=e-$http_x_event_id;
                add_header     X-Status $sluice_enqueue_status always;
            }
            location = /sluice/status { sluice_status; }`,
    },
    async ready({ house, edge }) {
        await change(house.redis, 0, 2);
        await few(edge);
        await change(house.redis, 0);
    },
    settled: () => emptied(place(name)),
});

/* both zones had to do without */
async function full(edge, name) {
    await until(async () => (await table(edge)).no_memory > 0,
        `${name}: tenants without room`);
    const { zones } = await edge.status();
    const { evicted } = zones.find((zone) => zone.name === 'events');
    ok(evicted > 0, `${name}: keys made room`, zones);
}

module.exports = { whole, full, change, renew };
