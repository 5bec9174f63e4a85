/* BullMQ's tests below build/bullmq-tests, on the package that is installed. */

import { defineConfig } from 'vitest/config';
import path from 'node:path';

const interop = path.resolve(import.meta.dirname, '..');

export default defineConfig({
  root: process.env.BULLMQ_TESTS_ROOT,
  resolve: {
    alias: {
      ioredis: path.join(interop, 'node_modules', 'ioredis'),
    },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    setupFiles: [path.join(import.meta.dirname, 'setup.mjs')],
    server: { deps: { inline: [/bullmq6/] } },
    testTimeout: 30000,
    hookTimeout: 30000,
    sequence: { concurrent: false },
  },
});
