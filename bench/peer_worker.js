/*
 * The peer of the worker: a stock BullMQ 6 Worker that does nothing.
 *
 * REDIS_SOCKET, QUEUE and CONCURRENCY come from the environment.
 */

'use strict';

const { npm } = require('./house');

const { Worker } = npm('bullmq6');

const { REDIS_SOCKET, QUEUE, CONCURRENCY } = process.env;
const worker = new Worker(QUEUE, async () => {}, {
    connection: { path: REDIS_SOCKET, maxRetriesPerRequest: null },
    concurrency: Number(CONCURRENCY),
});

worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
worker.waitUntilReady().then(() => process.stdout.write('ready\n'));

process.on('SIGTERM', () => worker.close().then(() => process.exit(0)));
