/**
 * graphile-worker on PostgreSQL: POST /prepare {count} adds jobs, POST /run {ms} works on them for
 * so long. `batch` is how many jobs a worker takes from the database at once.
 */
import { Logger, makeWorkerUtils, runTaskList } from 'graphile-worker';
import pg from 'pg';
import { serve } from './serve.js';

const [connectionString, concurrency, batch] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const logger = new Logger(() => () => {});
const pool = new pg.Pool({ connectionString, max: concurrency + 4 });
// graphile-worker asks for it. A lost connection shows in the figures.
pool.on('error', console.error);
const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();

let done = 0;
const tasks = {
  train: async () => {
    done += 1;
  },
};

async function prepare(count) {
  const job = { identifier: 'train', payload: { image: 'python:3.13', command: 'python train.py --fold 0' } };
  for (let left = count; left > 0; left -= 1_000) await utils.addJobs(Array.from({ length: Math.min(left, 1_000) }, () => job));
  return {};
}

async function run(ms) {
  const before = done;
  const start = performance.now();
  const preset = {
    worker: { concurrentJobs: concurrency, ...(batch > 1 ? { localQueue: { size: batch }, completeJobBatchDelay: 0 } : {}) },
  };
  const workers = runTaskList({ pgPool: pool, logger, noHandleSignals: true, preset }, tasks, pool);
  await new Promise((resolve) => setTimeout(resolve, ms));
  await workers.gracefulShutdown();
  return { count: done - before, seconds: (performance.now() - start) / 1_000 };
}

serve(({ ms, count }) => (ms === undefined ? prepare(count) : run(ms)));
