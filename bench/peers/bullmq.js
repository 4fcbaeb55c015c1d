/**
 * BullMQ on Redis: POST /prepare {count} adds jobs, POST /run {ms} works on them for so long.
 */
import { Queue, Worker } from 'bullmq';
import { serve } from './serve.js';

const [port, concurrency] = [Number(process.argv[2]), Number(process.argv[3])];
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const queue = new Queue('bench', { connection });
let done = 0;
const worker = new Worker(
  'bench',
  async () => {
    done += 1;
  },
  { connection, concurrency, autorun: false },
);
await worker.waitUntilReady();
await worker.pause(true);
void worker.run();

async function prepare(count) {
  const job = { name: 'train', data: { image: 'python:3.13', command: 'python train.py --fold 0' } };
  for (let left = count; left > 0; left -= 1_000) await queue.addBulk(Array.from({ length: Math.min(left, 1_000) }, () => job));
  return {};
}

async function run(ms) {
  const before = done;
  const start = performance.now();
  void worker.resume();
  await new Promise((resolve) => setTimeout(resolve, ms));
  await worker.pause();
  return { count: done - before, seconds: (performance.now() - start) / 1_000 };
}

serve(({ ms, count }) => (ms === undefined ? prepare(count) : run(ms)));
