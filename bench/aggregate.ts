/**
 * aggregate: the gateway averages five models of 1 GB each while clients ask it for jobs. Measures
 * the cost: the memory it uses, and how long its answers take. Needs 6 GB of disk in the temporary
 * folder.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { releaseCores } from './cores.ts';
import { complete, type RoundSize, requireMean, startRound, upload } from './federated-round.ts';
import type { Gateway } from './gateway.ts';
import { type HttpConnection, openConnections, requestOf } from './http-load.ts';
import { createJobs, createProject } from './jobs.ts';
import type { Report } from './report.ts';
import type { Plan } from './rounds.ts';

const SIZE: RoundSize = { submissions: 5, tensors: 20, tensorBytes: 50 * 1024 ** 2 };
const MOST_GROWTH_MB = 300;

/**
 * A load that leaves the gateway idle most of the time. This measures how long an answer takes, not
 * how many it can give.
 */
const CLIENTS = 8;
const EVERY_MS = 20;
const JOBS = 500;
const SAMPLE_EVERY_MS = 20;

const POINT =
  'query Point($id: ID!) { job(id: $id) { id name status priority createdAt updatedAt steps { number name status createdAt } } }';

export async function benchAggregate(gateway: Gateway, { ms, warmUpMs }: Plan): Promise<Report> {
  // The thread that averages needs a core beside the thread that answers.
  releaseCores(gateway.server.pid);
  const ids = await createJobs(gateway, await createProject(gateway), JOBS, 3);
  const questions = ids.map((id) => requestOf({ query: POINT, variables: { id } }, { key: gateway.key }));
  const connections = await openConnections(gateway.server.port, CLIENTS);
  const askFor = (until: Promise<unknown>) => askUntil(connections, questions, until);
  await askFor(sleep(warmUpMs));
  const atRest = memoryMbOf(gateway);
  const alone = await askFor(sleep(ms * 5));

  const watch = watchMemory(gateway);
  const round = await startRound(gateway, 'bench', SIZE);
  for (const [i] of round.participants.entries()) {
    await upload(gateway, round, i, SIZE);
    // The last one starts the aggregation.
    if (i < SIZE.submissions - 1) await complete(gateway, round, i);
  }
  const peakBefore = watch.takePeak();
  const before = memoryMbOf(gateway);
  await complete(gateway, round, SIZE.submissions - 1);
  const start = performance.now();
  const during = await askFor(ended(gateway, round.jobId));
  const seconds = (performance.now() - start) / 1_000;
  const peak = Math.max(watch.takePeak(), memoryMbOf(gateway));
  watch.end();
  for (const connection of connections) connection.close();
  await requireMean(gateway, round, SIZE);

  const growth = peak - atRest;
  return {
    bench: `aggregate: ${SIZE.submissions} models of ${SIZE.tensors} tensors, ${mb(SIZE.tensors * SIZE.tensorBytes)} MB each`,
    unit: 'requests/s',
    figures: [],
    comparisons: [],
    notes: [
      `aggregated, inspected and stored in ${seconds.toFixed(1)} s; every byte of the aggregate is the mean`,
      `memory ${whole(atRest)} MB at rest, up to ${whole(peakBefore)} MB while the models were uploaded and inspected, ${whole(before)} MB before`,
      `memory up to ${whole(peak)} MB while aggregating: ${whole(growth)} MB more than at rest (goal: less than ${MOST_GROWTH_MB}: ${growth < MOST_GROWTH_MB ? 'reached' : 'not reached'})`,
      `point queries alone:              ${describe(alone)}`,
      `point queries during aggregation: ${describe(during)}`,
    ],
  };
}

const mb = (bytes: number) => Math.round(bytes / 1024 ** 2);
const whole = (value: number) => Math.round(value).toLocaleString('en');

/**
 * Asks at a steady pace until the promise settles. Returns how long each answer took, in
 * milliseconds, counted from when its request was due.
 */
async function askUntil(connections: readonly HttpConnection[], questions: readonly Buffer[], until: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  void until.finally(() => {
    isOver = true;
  });
  const took: number[] = [];
  let next = 0;
  const begin = performance.now();
  await Promise.all(
    connections.map(async (connection, client) => {
      let due = begin + (client / connections.length) * EVERY_MS;
      while (!isOver) {
        await sleep(Math.max(0, due - performance.now()));
        const question = questions[next++ % questions.length];
        if (question) await connection.ask(question);
        took.push(performance.now() - due);
        due += EVERY_MS;
      }
    }),
  );
  await until;
  return took;
}

function describe(took: readonly number[]): string {
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms (${sorted.length.toLocaleString('en')} of them)`;
}

async function ended({ ask }: Gateway, jobId: string): Promise<void> {
  for (;;) {
    const { job } = await ask<{ job: { status: string; reasonDescription?: string } }>('query ($id: ID!) { job(id: $id) { status } }', {
      id: jobId,
    });
    if (job.status === 'SUCCEEDED') return;
    if (job.status !== 'RUNNING') throw new Error(`The job is ${job.status}.`);
    await sleep(50);
  }
}

/** The memory of the process with all its threads, in MB. From Linux's /proc; NaN elsewhere. */
function memoryMbOf({ server }: Gateway): number {
  if (process.platform !== 'linux') return Number.NaN;
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1_024;
}

function watchMemory(gateway: Gateway) {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryMbOf(gateway));
  }, SAMPLE_EVERY_MS);
  return {
    /** The highest since the last call. */
    takePeak() {
      const taken = peak;
      peak = 0;
      return taken;
    },
    end: () => clearInterval(timer),
  };
}
