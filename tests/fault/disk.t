#!/usr/bin/env node
'use strict';

/*
 * The disk of the spool goes wrong while Redis is away: it is full, fails each
 * write, turns read-only, loses power, and its files have a torn tail and
 * flipped bits.  What was answered 200 is in Redis afterwards, once; what could
 * not be stored was answered 503.  An event whose own bytes were flipped is set
 * aside, and no other.
 */

const fs = require('fs');
const path = require('path');
const { faults, ok, until, TIMES } = require('./fault');
const { Disk } = require('./disk');
const { dir } = require('../e2e/edge');
const { segment } = require('./segment');

/* a disk that failed rests for a second: in the short version a few times do */
const FEW = Math.ceil(TIMES / 5);
const AWAY = /connect\(\) to unix:.* failed \((2|11|111)/;
const KILLED = /exited on signal 9|connect\(\) to unix:.* failed \((2|11|111)/;

const spool = (place, options = '') => ({ options: 'timeout=1s',
    more: `sluice_spool ${place}/spool size=2g segment=256k ${options};` });

const segments = (place) => fs.readdirSync(`${place}/spool`)
    .filter((file) => file.endsWith('.spool'))
    .map((file) => `${place}/spool/${file}`);

const bad = (place) => fs.readdirSync(`${place}/spool`)
    .filter((file) => file.endsWith('.bad')).length;

const answers = (load, n, what) => {
    const there = load.accepted;
    return until(() => load.accepted > there + n, what, 30000);
};

/* how many were answered so since */
const refused = (load, n) => {
    const there = load.answers.size - load.accepted;
    return until(() => load.answers.size - load.accepted > there + n, '503',
        30000);
};

const away = ({ house }) => house.stopRedis('SIGKILL');
const back = ({ house }) => house.startRedis('--appendfsync', 'always');

/* all of NGINX, while something else is done to its files */
async function meanwhile(edge, change) {
    await edge.kill();
    await change();
    await edge.start();
}

const common = (disk, more) => ({
    skip: disk.why,
    times: FEW,
    statuses: [200, 503],
    alerts: KILLED,
    edge: spool(disk.place),
    settled: () => until(() => segments(disk.place).length === 0,
        'nothing in the spool', 60000),
    ...more,
    after(all) {
        ok(all.load.others(200).length > 0 || more.always,
            `${all.load.others(200).length} were refused`);
        ok(bad(disk.place) === 0 || more.aside, 'none was set aside');
    },
});

const full = Disk.small('full', '2m');
const readonly = Disk.small('readonly', '64m');
const failing = Disk.device('failing', 64, { journal: false });
const turning = Disk.device('turning', 64, { journal: true });
const power = Disk.device('power', 64, { journal: true });
const damaged = path.join(dir, 'damaged');
const excused = new Set();

fs.mkdirSync(damaged);

faults({
    name: 'disk full',
    ...common(full),
    async disturb(all) {
        await away(all);
        await refused(all.load, 32);
        await back(all);
        await answers(all.load, 64, 'the edge');
    },
}, {
    /* no file may be open: it is so before Redis goes away */
    name: 'disk read-only',
    ...common(readonly),
    async disturb(all) {
        await until(() => readonly.remount('ro') === '', 'no open file', 60000);
        await away(all);
        await refused(all.load, 32);
        readonly.must(readonly.remount('rw'));
        await answers(all.load, 64, 'the spool');
        await back(all);
    },
}, {
    /* every other time what is in memory is forgotten before the replay */
    name: 'disk EIO',
    ...common(failing),
    async disturb(all) {
        await away(all);
        await answers(all.load, 64 + all.rand() * 500, 'the spool');
        failing.fail();
        await refused(all.load, 32);
        failing.heal();
        await answers(all.load, 64, 'the spool');
        if (all.n % 2) {
            await meanwhile(all.edge, () => failing.again());
        }
        await back(all);
    },
}, {
    name: 'disk fails and turns read-only',
    ...common(turning),
    async disturb(all) {
        await away(all);
        await answers(all.load, 64 + all.rand() * 500, 'the spool');
        turning.fail();
        await refused(all.load, 32);
        turning.heal();
        await meanwhile(all.edge, () => turning.again());
        await answers(all.load, 64, 'the spool');
        await back(all);
    },
}, {
    /*
     * From one moment on nothing comes to the device: all else is forgotten.  The
     * tail of a file that nobody was answered may be anything, and is set aside.
     */
    name: 'disk loses power',
    ...common(power, { always: true, aside: true }),
    async disturb(all) {
        await away(all);
        await answers(all.load, 64 + all.rand() * 500, 'the spool');
        power.fail();
        await meanwhile(all.edge, () => power.again(() => power.heal()));
        await answers(all.load, 64, 'the spool');
        await back(all);
    },
}, {
    name: 'torn tail and flipped bit',
    ...common({ place: damaged }, { always: true, aside: true, excused }),
    async disturb(all) {
        await away(all);
        await answers(all.load, 64 + all.rand() * 500, 'the spool');
        await meanwhile(all.edge, () => segments(damaged).forEach((file) => {
            const one = segment(file, all.rand);
            one.flip().forEach((id) => excused.add(id));
            one.tear();
        }));
        await back(all);

        /* a file is damaged once: afterwards it could not be read here */
        await until(() => segments(damaged).length === 0, 'the replay', 60000);
    },
});
