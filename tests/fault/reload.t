#!/usr/bin/env node
'use strict';

/*
 * Reloads, binary upgrades and restarts under load: nothing but 200 is said,
 * nothing is lost, nothing doubles, and neither the master nor its processes
 * grow.  Then the same with a spool, a tenant table and limit zones, which are
 * full, while Redis does not answer now and then; a new master does not know
 * the tenants yet, and says 503 until it does.
 *
 * A client that asks on a connection while the old process closes it gets no
 * answer: HTTP/1.1 has no way around that.  What was not read was not done, so
 * it is sent again and must be there once.
 */

const fs = require('fs');
const { faults, is, ok, until, rest } = require('./fault');
const { whole, full, change, renew } = require('./whole');

const LANES = 32;
const KB = 1024;          /* that a process may grow in 100 reloads */
const SILENT = 4;         /* the time of so many at which Redis is silent */

const held = (pid) => Number(/VmRSS:\s*(\d+)/.exec(
    fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

/* at most one connection a lane and time, and each event is one job */
const once = (times) => ({ load, ledger, broken, accepted }) => {
    ok(broken.size <= LANES * times, 'at most one connection a lane and time',
        broken.size);
    is([load.others(200).length, ledger.failed, ledger.aborted], [0, 0, 0],
        'none failed, none was aborted');
    return accepted.length;
};

const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/* what a process holds at each reload, and by how much it grows in 100 */
class Sizes {
    constructor(what) {
        this.what = what;
        this.list = [];
    }

    judge(name) {
        const n = this.list.length;
        const quarter = Math.max(1, Math.floor(n / 4));
        const first = middle(this.list.slice(quarter, 2 * quarter));
        const last = middle(this.list.slice(-quarter));
        const grown = (last - first) / Math.max(1, (n - 2 * quarter) / 100);

        console.log(`# ${name}: ${this.what}: ${this.list[0]} KB at first, ${
            first} KB in the second quarter, ${last} KB in the last one of ${
            n} reloads: ${grown.toFixed(0)} KB in 100`);
        ok(grown < KB, `${name}: ${this.what} has grown by less than ${
            KB} KB in 100`, grown);
    }
}

/* a class of reloads; those of processes that have worked until then */
function reloads(disturb) {
    const master = new Sizes('the master');
    const process = new Sizes('a worker process');
    const took = [];

    return {
        async disturb(all) {
            process.list.push(Math.max(...all.edge.processes().map(held)));
            await disturb(all, async () => took.push(await all.edge.reload()));
            master.list.push(held(all.edge.pid));
        },
        judge(name, { edge }) {
            master.judge(name);
            process.judge(name);
            console.log(`# ${name}: old processes left within ${
                Math.max(...took)} ms`);
            is(edge.processes().length, 2, `${name}: two processes`);
            return took.length;
        },
    };
}

/* what happens while Redis takes a pause, each second one beyond the timeout */
async function silent({ house, rand, n }, act) {
    process.kill(house.server.pid, 'SIGSTOP');
    await rest(rand() * 50);
    const done = act();
    await rest(rand() * 500 + (n % (2 * SILENT) ? 0 : 700));
    process.kill(house.server.pid, 'SIGCONT');
    return done;
}

const upgraded = whole('upgrade, full zones');
const plain = reloads((all, reload) => reload());
const all_of_it = reloads(async (all, reload) => {
    await change(all.house.redis, all.n);
    await (all.n % SILENT ? reload() : silent(all, reload));
});

faults({
    name: 'reload',
    lanes: LANES,
    again: true,
    disturb: plain.disturb,
    after(found) {
        const n = plain.judge('reload', found);
        is(found.ledger.enqueued, once(n)(found), 'each was enqueued once');
        is(found.ledger.duplicate, 0, 'and none twice');
    },
}, {
    ...whole('reload, full zones'),
    lanes: LANES,
    again: true,
    disturb: all_of_it.disturb,
    async after(found) {
        const n = all_of_it.judge('reload, full zones', found);
        const { ledger } = found;
        is(ledger.enqueued + ledger.spooled, once(n)(found),
            'each was enqueued or spooled once');
        ok(ledger.spooled > 0, `${ledger.spooled} were spooled`);
        is(ledger.duplicate, 0, 'and none twice');
        await full(found.edge, 'reload');
    },
}, {
    name: 'upgrade',
    lanes: LANES,
    times: 50,
    again: true,
    edge: { daemon: true },
    disturb: ({ edge }) => edge.upgrade(),
    /* the new master has memory of its own: the ledger begins with it */
    after: (found) => once(found.broken.size)(found),
}, {
    name: 'quit and start',
    lanes: LANES,
    times: 50,
    again: true,
    async disturb({ edge }) {
        is(await edge.stop(), 0, 'it ends with 0');
        await edge.start();
    },
}, {
    ...upgraded,
    lanes: LANES,
    times: 50,
    again: true,
    persist: true,
    edge: { ...upgraded.edge, daemon: true },
    async disturb(all) {
        const upgrade = () => all.edge.upgrade();
        await renew(all, () => (all.n % SILENT ? upgrade()
            : silent(all, upgrade)));
    },
}, {
    ...whole('quit and start, full zones'),
    lanes: LANES,
    times: 50,
    again: true,
    persist: true,
    async disturb(all) {
        const { edge } = all;
        const stop = () => edge.stop();
        await renew(all, async () => {
            is(await (all.n % SILENT ? stop() : silent(all, stop)), 0,
                'it ends with 0');
            await edge.start();
        });
    },
});
