#!/usr/bin/env node
'use strict';

/*
 * Reloads, binary upgrades and restarts under load: nothing but 200 is said,
 * nothing is lost, nothing doubles, and the master does not grow.
 *
 * A client that asks on a connection while the old process closes it gets no
 * answer: HTTP/1.1 has no way around that.  What was not read was not done, so
 * it is sent again and must be there once.
 */

const fs = require('fs');
const { faults, is, ok } = require('./fault');

const LANES = 32;
const KB = 1024;          /* that the master may grow in 100 reloads */

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

const sizes = [];
const took = [];

faults({
    name: 'reload',
    lanes: LANES,
    again: true,
    async disturb({ edge }) {
        took.push(await edge.reload());
        sizes.push(held(edge.pid));
    },
    after(found) {
        const n = sizes.length;
        const first = Math.floor(n / 4);
        const grown = sizes[n - 1] - sizes[first];

        is(found.ledger.enqueued, once(n)(found), 'each was enqueued once');
        is(found.ledger.duplicate, 0, 'and none twice');
        console.log(`# the master: ${sizes[0]} KB at first, ${sizes[first]
        } KB after ${first}, ${sizes[n - 1]} KB after ${n} reloads; old `
            + `processes left within ${Math.max(...took)} ms`);
        ok(grown < KB * Math.max(1, (n - first) / 100),
            `the master has grown by less than ${KB} KB in 100`, grown);
        is(found.edge.processes().length, 2, 'two processes');
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
});
