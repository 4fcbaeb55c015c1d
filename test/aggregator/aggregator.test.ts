import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { eq } from 'drizzle-orm';
import { afterEach, expect, test } from 'vitest';
import { type Aggregator, startAggregator } from '../../src/aggregator/aggregator.ts';
import type { Domain } from '../../src/domain/core/domain.ts';
import { isTerminalJob } from '../../src/domain/core/lifecycle.ts';
import { cancelJob } from '../../src/domain/jobs/cancellation.ts';
import { createJob } from '../../src/domain/jobs/creation.ts';
import { deleteDevice } from '../../src/domain/steps/devices.ts';
import type { Wakeups } from '../../src/realtime/wakeups.ts';
import type { Store } from '../../src/store/store.ts';
import { describeOnEachStore, type TestDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';
import { admin } from '../support/seed.ts';
import { whyNot } from '../support/why-not.ts';
import { decodeModel, encodeModel, f32, i64, type Laid } from './models.ts';
import { domainOn, jobOf, stepsOf, trainRound, waitFor } from './round.ts';

const ending: (() => Promise<unknown>)[] = [];

interface Place {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
}

function aggregator(place: Place): Aggregator {
  const errors: unknown[] = [];
  const started = startAggregator({ ...place, onError: (error) => errors.push(error) });
  ending.push(async () => {
    await started.close();
    expect(errors).toEqual([]);
  });
  return started;
}

const model = (values: readonly number[], numSamples: number | null = null) => ({ model: encodeModel({ w: f32(values) }), numSamples });
/** A model that takes a while to average. */
const large = { model: encodeModel({ w: f32(new Array<number>(12_000_000).fill(1)) }), numSamples: null };

const ended = (place: Place, jobId: string) =>
  waitFor(
    place,
    jobId,
    () => jobOf(place.domain, jobId),
    ({ status }) => isTerminalJob(status),
  );
const running = (place: Place, jobId: string) =>
  waitFor(
    place,
    jobId,
    () => aggregation(place.domain, jobId),
    (step) => step?.status === 'RUNNING',
  );
const aggregation = async (domain: Domain, jobId: string) => (await stepsOf(domain, jobId)).find(({ part }) => part === 'AGGREGATE');

async function fragmentsOf({ store }: Domain, jobId: string) {
  const { db, t } = store.read;
  return db.select().from(t.fragments).where(eq(t.fragments.jobId, jobId));
}

async function attemptsAt(domain: Domain, jobId: string) {
  const { db, t } = domain.store.read;
  const step = await aggregation(domain, jobId);
  return db
    .select()
    .from(t.attempts)
    .where(eq(t.attempts.stepId, step?.id ?? ''))
    .orderBy(t.attempts.number);
}

async function aggregateOf(domain: Domain, jobId: string): Promise<Record<string, Laid>> {
  const { resultModelId } = await jobOf(domain, jobId);
  const fragment = (await fragmentsOf(domain, jobId)).find(({ id }) => id === resultModelId);
  if (!fragment?.sha256) throw new Error('The job has no result.');
  expect(fragment).toMatchObject({ filename: 'aggregate-round-1.safetensors', type: 'MODEL', status: 'READY' });
  return decodeModel(await buffer(domain.files.read({ id: fragment.id, sha256: fragment.sha256 }))).tensors;
}

describeOnEachStore('The aggregator of a gateway', (_open, create, dialect) => {
  // Inside this block, so that it runs before the databases are removed.
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  async function place(): Promise<Place & { database: TestDatabase; store: Store }> {
    const database = await create();
    const store = await database.open();
    const made = domainOn(store, database.folder);
    ending.push(async () => made.wakeups.close());
    return { ...made, database, store };
  }

  test('submits the mean, weighted by sample counts if every device gave one', async () => {
    const here = await place();
    const job = await trainRound(here.domain, [model([1, -2], 100), model([5, 2], 300)]);
    aggregator(here);
    expect(await ended(here, job.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await aggregateOf(here.domain, job.id)).toEqual({ w: f32([4, 1]) });
    expect(await attemptsAt(here.domain, job.id)).toMatchObject([
      { number: 1, outcome: 'SUCCEEDED', description: 'The mean of 2 models, weighted by their numbers of samples.' },
    ]);
  });

  test('takes the counter of a batch norm, which differs between devices, from the device with the most samples', async () => {
    const here = await place();
    const counted = (batches: bigint, numSamples: number) => ({ model: encodeModel({ w: f32([1]), n: i64([batches]) }), numSamples });
    const job = await trainRound(here.domain, [counted(1n, 10), counted(2n, 30), counted(3n, 20)]);
    aggregator(here);
    expect(await ended(here, job.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await aggregateOf(here.domain, job.id)).toEqual({ w: f32([1]), n: i64([2n]) });
  });

  test('submits the unweighted mean when a device gave no sample count', async () => {
    const here = await place();
    aggregator(here);
    const job = await trainRound(here.domain, [model([1, -2], 100), model([5, 2])]);
    expect(await ended(here, job.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await aggregateOf(here.domain, job.id)).toEqual({ w: f32([3, 0]) });
  });

  test('fails the job, naming the tensor and the device, when there is no mean, and creates no file', async () => {
    const here = await place();
    const job = await trainRound(here.domain, [model([1]), model([2])]);
    const [damaged] = await fragmentsOf(here.domain, job.id);
    // A disk can do this: the file changes after its inspection.
    const [path = ''] = globSync(`**/${damaged?.id}-*`, { cwd: here.database.folder });
    await writeFile(join(here.database.folder, path), encodeModel({ w: f32([Number.NaN, 1]) }));
    aggregator(here);
    const failed = await ended(here, job.id);
    expect(failed.status).toBe('FAILED');
    expect(failed.reasonDescription).toMatch(/The model of device edge-\d does not fit: Tensor "w" has shape \[\d\]/);
    expect((await attemptsAt(here.domain, job.id)).map(({ outcome }) => outcome)).toEqual(['FAILED', 'FAILED', 'FAILED']);
    expect((await fragmentsOf(here.domain, job.id)).map(({ filename }) => filename).sort()).toEqual([
      'model-0.safetensors',
      'model-1.safetensors',
    ]);
  });

  test('stops when the job is cancelled', async () => {
    const here = await place();
    const job = await trainRound(here.domain, [large, large]);
    aggregator(here);
    await running(here, job.id);
    await cancelJob(here.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 60 });
    expect(await ended(here, job.id)).toMatchObject({ status: 'CANCELLED' });
    expect(await attemptsAt(here.domain, job.id)).toMatchObject([{ outcome: 'CANCELLED' }]);
  });

  test('releases its step when it is closed, and the next aggregator runs it', async () => {
    const here = await place();
    const job = await trainRound(here.domain, [large, large]);
    const first = aggregator(here);
    await running(here, job.id);
    await first.close();
    expect(await aggregation(here.domain, job.id)).toMatchObject({ status: 'QUEUED', failedCount: 0, lostCount: 0 });
    aggregator(here);
    expect(await ended(here, job.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await attemptsAt(here.domain, job.id)).map(({ outcome }) => outcome)).toEqual(['RELEASED', 'SUCCEEDED']);
  });

  test('claims no other steps, and is not listed among the devices that do not fit them', async () => {
    const here = await place();
    const round = await trainRound(here.domain, [model([1])]);
    const { job } = await createJob(here.domain, admin, { projectId: round.projectId, name: 'Not for it' });
    aggregator(here);
    await ended(here, round.id);
    const [step] = await stepsOf(here.domain, job.id);
    if (!step) throw new Error('A job has a step.');
    expect(step.status).toBe('QUEUED');
    const reasons = await whyNot(here.domain, admin, step, null);
    expect(reasons.filter(({ device }) => device?.name === 'trainyard aggregator')).toEqual([]);
  });

  test('fails a step that asks for the aggregator and is not an aggregation', async () => {
    const here = await place();
    const round = await trainRound(here.domain, [model([1])]);
    const requiredLabels = [{ key: 'trainyard/aggregator', value: 'federated-averaging' }];
    const { job } = await createJob(here.domain, admin, {
      projectId: round.projectId,
      name: 'Wrong',
      steps: [{ name: 'Train', requiredLabels }],
    });
    aggregator(here);
    expect(await ended(here, job.id)).toMatchObject({
      status: 'FAILED',
      reasonDescription: expect.stringContaining('only aggregates federated rounds'),
    });
  });

  test('registers again after its device was deleted', async () => {
    const here = await place();
    const first = aggregator(here);
    const round = await trainRound(here.domain, [model([1])]);
    await ended(here, round.id);
    await first.close();
    const { db, t } = here.store.read;
    const [device] = await db.select().from(t.devices).where(eq(t.devices.name, 'trainyard aggregator'));
    await deleteDevice(here.domain, admin, { deviceId: device?.id ?? '' });
    aggregator(here);
    const next = await trainRound(here.domain, [model([1])]);
    expect(await ended(here, next.id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  test.runIf(dialect === 'postgres')(
    'shares the rounds with the aggregator of another gateway on the database, and none is aggregated twice',
    async () => {
      const here = await place();
      const other = domainOn(await here.database.open(), here.database.folder);
      ending.push(async () => other.wakeups.close());
      aggregator(here);
      aggregator(other);
      const jobs = [];
      for (let i = 0; i < 4; i++) jobs.push(await trainRound(i % 2 === 0 ? here.domain : other.domain, [model([i]), model([i + 2])]));
      for (const [i, { id }] of jobs.entries()) {
        expect(await ended(here, id)).toMatchObject({ status: 'SUCCEEDED' });
        expect(await aggregateOf(here.domain, id)).toEqual({ w: f32([i + 1]) });
        expect(await attemptsAt(here.domain, id)).toMatchObject([{ number: 1, outcome: 'SUCCEEDED' }]);
      }
    },
  );

  test('continues as soon as its gateway is back after a kill', async () => {
    const here = await place();
    const job = await trainRound(here.domain, [large, large, large]);
    await here.store.close();
    const gateway = await startGateway({ database: here.database });
    ending.push(() => gateway.stop());
    const ask = async () => {
      const query = `{ job(id: "${job.id}") { status steps { status } } }`;
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` };
      const response = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
      const { data }: { data: { job: { status: string; steps: { status: string }[] } } } = JSON.parse(await response.text());
      return data.job;
    };
    while ((await ask()).steps.at(-1)?.status !== 'RUNNING');
    await gateway.restart();
    while ((await ask()).status !== 'SUCCEEDED');
    await gateway.stop();
    const { domain } = domainOn(await here.database.open(), here.database.folder);
    const [lost, ...others] = await attemptsAt(domain, job.id);
    expect(others.map(({ outcome }) => outcome)).toEqual(['SUCCEEDED']);
    expect(lost?.outcome).toBe('LOST');
    // It did not wait until the lease of the killed process expired.
    expect(lost?.finishedAt?.getTime()).toBeLessThan(lost?.leaseExpiresAt.getTime() ?? 0);
    expect((await aggregateOf(domain, job.id)).w?.bytes.length).toBe(48_000_000);
  });
});
