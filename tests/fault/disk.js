'use strict';

/*
 * Disks of a test's own, which need root and an ext4 below build/.  What is not
 * permitted here is said by `why`, and the class is skipped.
 *
 *   small    a tmpfs of so many bytes: it is full at once
 *   device   ext4 on a loop device, that fails when its file is immutable: each
 *            write is an I/O error of the device, for the page cache as well, as
 *            a disk has it.  With a journal ext4 then turns read-only, without
 *            one each fdatasync gets its EIO.
 *
 * In place of device mapper's flakey: not every kernel has it, and this can be
 * switched while files are open.
 */

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { dir, until } = require('../e2e/edge');

/* '' or what it said */
function call(program, ...args) {
    const done = spawnSync(program, args, { encoding: 'utf8' });
    return done.status === 0 ? ''
        : (done.stderr || String(done.error || done.status)).trim();
}

class Disk {
    static small(name, size) {
        return new Disk(name, ['-t', 'tmpfs', '-o', `size=${size}`, 'none']);
    }

    static device(name, megabytes, { journal }) {
        const image = path.join(dir, `${name}.img`);
        const features = journal ? ['-J', 'size=4'] : ['-O', '^has_journal'];

        fs.closeSync(fs.openSync(image, 'w'));
        fs.truncateSync(image, megabytes << 20);
        const why = call('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0',
            ...features, image);
        const disk = new Disk(name,
            ['-o', `loop,errors=${journal ? 'remount-ro' : 'continue'}`, image],
            why);

        disk.image = image;
        disk.try();
        return disk;
    }

    constructor(name, args, why = '') {
        this.place = path.join(dir, `${name}.disk`);
        this.args = args;
        this.why = why;
        fs.mkdirSync(this.place, { recursive: true });
        this.why = why || call('mount', ...args, this.place);

        if (!this.why) {
            this.mounted = true;
            /* before the directory is removed */
            process.prependListener('exit', () => {
                if (this.image) {
                    call('chattr', '-i', this.image);
                }
                if (this.mounted) {
                    call('umount', '-l', this.place);
                }
            });
        }
    }

    /* does the device fail when it shall? */
    try() {
        if (this.why) {
            return;
        }
        this.fail();
        this.heal();
    }

    must(why) {
        if (why) {
            throw new Error(`${this.place}: ${why}`);
        }
    }

    /* from now on the device writes nothing */
    fail() {
        this.why = call('chattr', '+i', this.image);
    }

    heal() {
        this.must(call('chattr', '-i', this.image));
    }

    /*
     * What is in memory only is forgotten.  Of a process that was killed a
     * thread may wait for the disk yet.
     */
    async again(between = () => {}) {
        await until(() => call('umount', this.place) === '',
            `nobody to use ${this.place}`);
        this.mounted = false;
        between();
        this.must(call('mount', ...this.args, this.place));
        this.mounted = true;
    }

    /* '' or why not: not while a file is open for writing */
    remount(options) {
        return call('mount', '-o', `remount,${options}`, this.place);
    }
}

module.exports = { Disk };
