/* Before each of BullMQ's test files: its clients, and the backend. */

import { createRequire } from 'node:module';
import path from 'node:path';

const root = process.env.BULLMQ_TESTS_ROOT;
const IORedis = createRequire(import.meta.url)('../node_modules/ioredis');
const { createIORedisClient } =
  await import(path.join(root, 'src/classes/ioredis-client.js'));
const { setConnectionFactory } =
  await import(path.join(root, 'tests/utils/connection-factory.ts'));

setConnectionFactory((opts) => createIORedisClient(new IORedis({
  host: (opts && opts.host) || process.env.REDIS_HOST,
  port: (opts && opts.port) || Number(process.env.REDIS_PORT),
  maxRetriesPerRequest: null,
})));

if (process.env.BULLMQ_BACKEND !== 'stock') {
  const bullmq = await import(path.join(root, 'src/index.js'));
  const { factory } = createRequire(import.meta.url)('./backend.js');
  bullmq.setDefaultBackendFactory(factory(bullmq));
}
