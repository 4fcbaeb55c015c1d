/**
 * Concurrent changes of one job on PostgreSQL wait for each other, and none has to run again: all
 * lock rows in one order.
 */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimStep } from '../../../src/domain/claims/claims.ts';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { reportProgress } from '../../../src/domain/claims/progress.ts';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { createFragment, deleteFragment, finishUpload } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { setJobOutput } from '../../../src/domain/jobs/outputs.ts';
import { addSteps, deleteJob, updateJob } from '../../../src/domain/jobs/update.ts';
import type { Store, Tx } from '../../../src/store/store.ts';
import { createPostgresDatabase, type TestDatabase } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

/**
 * Pairs that run at the same time, each on a job of its own: their changes have a connection each.
 */
const AT_ONCE = 6;
/**
 * The duration of each statement of a change: long enough for two changes to hold half of their
 * locks each.
 */
const PACE_SECONDS = 0.004;

interface Scene {
  readonly domain: Domain;
  readonly jobId: string;
  readonly leaseToken: string;
  /** Created by the step, and not uploaded yet. */
  readonly fragmentId: string;
  /** Belongs to the job, not to a step. */
  readonly looseId: string;
}

const stored = { sizeBytes: 1, sha256: '0'.repeat(64) };
const changes: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  createFragment: ({ domain, jobId, leaseToken }) =>
    createFragment(domain, admin, { jobId, leaseToken, filename: 'a.txt', type: 'DATA', text: 'a' }),
  'createFragment without a lease': ({ domain, jobId }) =>
    createFragment(domain, admin, { jobId, filename: 'output.json', type: 'OUTPUT', text: '{}' }),
  finishUpload: ({ domain, fragmentId }) => finishUpload(domain, fragmentId, stored),
  'finishUpload of the job': ({ domain, looseId }) => finishUpload(domain, looseId, stored),
  deleteFragment: ({ domain, fragmentId }) => deleteFragment(domain, admin, { fragmentId }),
  setJobOutput: ({ domain, jobId, leaseToken }) => setJobOutput(domain, admin, { jobId, leaseToken, output: { a: 1 } }),
  'setJobOutput without a lease': ({ domain, jobId }) => setJobOutput(domain, admin, { jobId, output: { a: 1 } }),
  completeStep: ({ domain, leaseToken }) => completeStep(domain, admin, { leaseToken, output: { a: 1 } }),
  failStep: ({ domain, leaseToken }) => failStep(domain, admin, { leaseToken }),
  releaseStep: ({ domain, leaseToken }) => releaseStep(domain, admin, { leaseToken }),
  renewLease: ({ domain, leaseToken }) => renewLease(domain, admin, { leaseToken, leaseSeconds: 60 }),
  reportProgress: ({ domain, leaseToken }) =>
    reportProgress(domain, admin, { leaseToken, metrics: [{ name: 'a', value: 1 }], log: [{ offset: 0, text: 'a', stream: 'STDOUT' }] }),
  cancelJob: ({ domain, jobId }) => cancelJob(domain, admin, { jobId, cancelTimeoutSeconds: 0 }),
  updateJob: ({ domain, jobId }) => updateJob(domain, admin, { jobId, name: 'Another', priority: 5 }),
  addSteps: ({ domain, jobId }) => addSteps(domain, admin, { jobId, steps: [{ name: 'One more' }] }),
  claimStep: ({ domain, jobId }) => claimStep(domain, admin, { jobId, stepNumber: 1, leaseSeconds: 60 }),
  'cancelJob and deleteJob': async ({ domain, jobId }) => {
    await cancelJob(domain, admin, { jobId, cancelTimeoutSeconds: 0 }).catch(() => {});
    await deleteJob(domain, admin, { jobId });
  },
};
const names = Object.keys(changes);
const pairs = names.flatMap((one, i) => names.slice(i).map((other) => [one, other] as const));

let database: TestDatabase;
let store: Store;
let seed: Seed;
beforeAll(async () => {
  database = await createPostgresDatabase();
  store = await database.open();
  seed = await plantSeed(store);
});
afterAll(() => database.remove());

/** The same domain, with slow statements in each write. */
function slowed(domain: Domain): Domain {
  const pause = (tx: Tx) => tx.db.select({ slept: sql`pg_sleep(${PACE_SECONDS})` }).from(sql`(select 1) as one`);
  const slow = (tx: Tx): Tx => ({
    t: tx.t,
    dialect: tx.dialect,
    db: tx.db,
    touch: (topic) => tx.touch(topic),
    runUnnamed: (build) => tx.runUnnamed(build),
    async run(query, values) {
      const answer = await tx.run(query, values);
      await pause(tx);
      return answer;
    },
    async runLater(query, values, use) {
      await tx.runLater(query, values, use);
      await pause(tx);
    },
    async runPairLater(first, second) {
      await tx.runPairLater(first, second);
      await pause(tx);
    },
  });
  const slowStore: Store = Object.create(store, {
    write: { value: <T>(work: (tx: Tx) => Promise<T>) => store.write((tx) => work(slow(tx))) },
  });
  return { ...domain, store: slowStore };
}

async function setScene(): Promise<Scene> {
  const job = await seed.createJob(2);
  const jobId = job.job.id;
  const { lease } = await seed.claim(job);
  const announce = { jobId, type: 'DATA' } as const;
  const { fragment } = await createFragment(seed.domain, admin, { ...announce, leaseToken: lease.token, filename: 'a.txt' });
  const loose = await createFragment(seed.domain, admin, { ...announce, filename: 'loose.txt' });
  return { domain: slowed(seed.domain), jobId, leaseToken: lease.token, fragmentId: fragment.id, looseId: loose.fragment.id };
}

const retries = async () =>
  (
    await Promise.all(
      store.instruments.filter(({ name }) => name === 'trainyard_store_retries_total').map((instrument) => instrument.read()),
    )
  )
    .flat()
    .reduce((sum, { value }) => sum + Number(value), 0);

test('every pair of changes of one job runs at once without one of them having to run again (P2)', { timeout: 120_000 }, async () => {
  const hadToRunAgain: string[] = [];
  for (let from = 0; from < pairs.length; from += AT_ONCE) {
    const some = pairs.slice(from, from + AT_ONCE);
    const scenes = await Promise.all(some.map(setScene));
    const before = await retries();
    await Promise.all(
      some.map(([one, other], i) => Promise.allSettled([one, other].map((name) => changes[name]?.(scenes[i] ?? raise(name))))),
    );
    if ((await retries()) > before) hadToRunAgain.push(some.map((pair) => pair.join(' and ')).join(', or '));
  }
  expect(hadToRunAgain).toEqual([]);
});

function raise(name: string): never {
  throw new Error(`There is no scene for ${name}.`);
}
