/*
 * The webhook that all benchmarks post: a status of WhatsApp as Meta sends
 * it, 560 bytes without white space, signed.
 */

'use strict';

const { createHmac } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./house');

const SAMPLE = 'tests/samples/webhooks/legacy-status-sent.json';
const SECRET = '7e1a95c3f0d24b8896b1d3c5a2f4e607';

const json = JSON.parse(fs.readFileSync(path.join(ROOT, SAMPLE), 'utf8'));
const body = JSON.stringify(json);
const signature = 'sha256='
    + createHmac('sha256', SECRET).update(body).digest('hex');

module.exports = { SECRET, json, body, signature };
