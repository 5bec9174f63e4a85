/*
 * The peer at the edge: Fastify 5 and BullMQ 6, as a good engineer writes it.
 * Raw body, HMAC in constant time, 200 once the job is in Redis.
 *
 * PORT, REDIS_SOCKET and APP_SECRET come from the environment.
 */

'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');
const { npm } = require('./house');

const fastify = npm('fastify');
const { Queue } = npm('bullmq6');

const { PORT, REDIS_SOCKET, APP_SECRET } = process.env;
const queue = new Queue('webhooks', {
    connection: {
        path: REDIS_SOCKET,
        enableAutoPipelining: true,     /* a third faster here */
    },
});
const app = fastify({ bodyLimit: 3 * 1024 * 1024 });

const signed = (body, header) => {
    const match = /^sha256=([0-9a-f]{64})$/i.exec(header || '');

    return match !== null && timingSafeEqual(
        Buffer.from(match[1], 'hex'),
        createHmac('sha256', APP_SECRET).update(body).digest());
};

app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' },
    (request, body, done) => done(null, body));

app.post('/hooks/meta', async (request, reply) => {
    if (!Buffer.isBuffer(request.body)
        || !signed(request.body, request.headers['x-hub-signature-256']))
    {
        return reply.code(401).send();
    }

    let event;

    try {
        event = JSON.parse(request.body);
    } catch {
        return reply.code(400).send();
    }

    await queue.add('meta', event);

    return reply.code(200).send();
});

queue.waitUntilReady().then(() =>
    app.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 2048 }));

process.on('SIGTERM', () => {
    app.close();
    queue.close();
});
