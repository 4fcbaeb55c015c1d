/**
 * A gateway that stands still in the middle of a transaction holds up others only briefly, and
 * repeats the transaction when it is back.
 */
import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPostgresDatabase, querySql, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

/** The server ends a transaction that is idle for 5 s. */
const FOR_LONG_MS = 12_000;

let database: TestDatabase;
let url: string;
let stopped: Gateway;
let holder: pg.Client;
const ending: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  database = await createPostgresDatabase();
  ending.push(() => database.remove());
  url = database.url ?? '';
  stopped = await start();
  holder = new pg.Client({ connectionString: url });
  await holder.connect();
  ending.push(() => holder.end());
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function start(): Promise<Gateway> {
  const gateway = await startGateway({ database });
  ending.push(() => gateway.stop());
  return gateway;
}

async function ask<T>({ url, adminKey }: Gateway, query: string, variables: object): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}` },
    body: JSON.stringify({ query, variables }),
  });
  // Cast: the shape of the query.
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

async function createJob(gateway: Gateway, input: object = {}): Promise<string> {
  const { createProject } = await ask<{ createProject: { project: { id: string } } }>(
    gateway,
    'mutation ($input: CreateProjectInput!) { createProject(input: $input) { ... on CreateProjectPayload { project { id } } } }',
    { input: { name: 'Digits' } },
  );
  const { createJob } = await ask<{ createJob: { job: { id: string } } }>(
    gateway,
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
    { input: { projectId: createProject.project.id, name: 'A job', ...input } },
  );
  return createJob.job.id;
}

const rename = (gateway: Gateway, jobId: string, name: string) =>
  ask<{ updateJob: { job: { name: string } } }>(
    gateway,
    'mutation ($input: UpdateJobInput!) { updateJob(input: $input) { ... on UpdateJobPayload { job { name } } } }',
    { input: { jobId, name } },
  );

const sessions = (condition: string) =>
  querySql(url, `select pid from pg_stat_activity where datname = current_database() and application_name ~ '^trainyard' and ${condition}`);
const isWaiting = (text: string) =>
  vi.waitFor(async () => expect(await sessions(`wait_event_type = 'Lock' and query ~ '${text}'`)).toHaveLength(1), { timeout: 10_000 });

/**
 * Stops the gateway between two statements of a transaction that holds its locks. It is blocked on
 * a lock that is released only after it was stopped.
 */
async function stopInTransaction(): Promise<void> {
  process.kill(stopped.pid, 'SIGSTOP');
  await holder.query('COMMIT');
  await vi.waitFor(async () => expect(await sessions(`state = 'idle in transaction'`)).toHaveLength(1), { timeout: 4_000 });
}

const isPlaced = () =>
  vi.waitFor(async () => expect(await querySql(url, 'select 1 from events where position < 0')).toEqual([]), { timeout: FOR_LONG_MS });

test('the feed across jobs continues at the other gateways when one stands still while it assigns positions (P7)', async () => {
  await createJob(stopped);
  await isPlaced();
  await holder.query('BEGIN');
  await holder.query(`select last from streams where job_id = '' and kind = 'event' for update`);
  await createJob(stopped);
  await isWaiting('Sequencer');
  process.kill(stopped.pid, 'SIGSTOP');
  await holder.query('COMMIT');
  const other = await start();
  await createJob(other);
  await isPlaced();
});

test('the feed across jobs and timeouts continue at another gateway when the elected one stands still, and when it is back (P7, P10)', async () => {
  await createJob(stopped);
  await isPlaced();
  const other = await start();
  process.kill(stopped.pid, 'SIGSTOP');
  const jobId = await createJob(other, { scheduleTimeoutSeconds: 1 });
  const isOver = async () =>
    expect(await querySql(url, 'select status, reason from jobs where id = $1', [jobId])).toEqual([
      { status: 'FAILED', reason: 'SCHEDULE_TIMEOUT' },
    ]);
  await vi.waitFor(isOver, { timeout: FOR_LONG_MS });
  await isPlaced();
  process.kill(stopped.pid, 'SIGCONT');
  await createJob(stopped);
  await isPlaced();
});

test('a write continues at the other gateways when one stands still in a write of the same job, which repeats its own when it is back (P1)', async () => {
  const jobId = await createJob(stopped);
  await holder.query('BEGIN');
  await holder.query('select 1 from jobs where id = $1 for update', [jobId]);
  const asked = rename(stopped, jobId, 'by the one that stood still');
  await isWaiting('from "jobs"');
  await stopInTransaction();
  const other = await start();
  const before = performance.now();
  expect(await rename(other, jobId, 'by another')).toEqual({ updateJob: { job: { name: 'by another' } } });
  expect(performance.now() - before).toBeLessThan(FOR_LONG_MS);
  process.kill(stopped.pid, 'SIGCONT');
  expect(await asked).toEqual({ updateJob: { job: { name: 'by the one that stood still' } } });
  expect(await querySql(url, 'select name from jobs where id = $1', [jobId])).toEqual([{ name: 'by the one that stood still' }]);
});
