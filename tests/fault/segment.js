'use strict';

/* A segment of the spool on the disk (core/spool.h), and what may befall it. */

const fs = require('fs');

const HEADER = 256;
const HEAD = 24;

function crc32c(crc, data) {
    let sum = ~crc;
    for (const byte of data) {
        sum ^= byte;
        for (let i = 0; i < 8; i += 1) {
            sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
        }
    }
    return ~sum >>> 0;
}

class Segment {
    constructor(file, rand) {
        this.file = file;
        this.rand = rand;
        this.data = fs.readFileSync(file);
        this.salt = this.data.readUInt32LE(12);
        this.records = [];

        for (let at = HEADER; at + HEAD <= this.data.length;) {
            const size = HEAD + this.data.readUInt32LE(at + 4);
            if (at + size > this.data.length) {
                break;
            }
            this.records.push({ at, size });
            at += size;
        }
    }

    /* any bit of it; the ids of the events that it hit */
    flip() {
        const at = Math.floor(this.rand() * this.data.length);
        const hit = this.records.find((one) => at >= one.at
            && at < one.at + one.size);
        const ids = hit ? this.data.toString('latin1', hit.at,
            hit.at + hit.size).match(/\be-[0-9]+/g) : [];

        this.data[at] ^= 1 << Math.floor(this.rand() * 8);
        fs.writeFileSync(this.file, this.data);
        return ids.map((id) => id.slice(2));
    }

    /* the beginning of a record that would have come next */
    tear() {
        const last = this.records[this.records.length - 1];
        if (!last) {
            return;
        }
        const next = Buffer.from(this.data.subarray(last.at,
            last.at + last.size));
        next.writeBigUInt64LE(BigInt(this.records.length + 1), 8);
        next.writeUInt32LE(crc32c(this.salt, next.subarray(HEAD)), 16);
        next.writeUInt32LE(crc32c(this.salt, next.subarray(0, 20)), 20);
        fs.appendFileSync(this.file,
            next.subarray(0, 1 + Math.floor(this.rand() * (next.length - 1))));
    }
}

module.exports = { segment: (file, rand) => new Segment(file, rand) };
