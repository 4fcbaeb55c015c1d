/** Leases and deadlines when the wall clock jumps, and after the gateway stood still. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimStep } from '../../../src/domain/claims/claims.ts';
import { renewLease } from '../../../src/domain/claims/leases.ts';
import { ClockGuard } from '../../../src/domain/core/clock-guard.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { forgetNowAndThen } from '../../../src/domain/sweep/forgetting.ts';
import { startSweep, sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { holdClock } from '../../support/clock.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';

const HOUR_MS = 3_600_000;
const jumps = [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS];
const LEASE_SECONDS = 60;

describeOnEachStore('A gateway', (open) => {
  let seed: Seed;
  let job: SeededJob;
  let leaseToken: string;
  let stop: () => Promise<void>;
  const errors: unknown[] = [];
  beforeEach(async () => {
    seed = await plantSeed(await open());
    job = await seed.createJob();
    leaseToken = (await seed.claim(job, 0, undefined, LEASE_SECONDS)).lease.token;
    stop = startSweep(seed.domain, (error) => void errors.push(error));
  });
  afterEach(async () => {
    await stop();
    expect(errors.splice(0)).toEqual([]);
  });
  /** Lets time pass, with its sweeps. */
  const pass = async (seconds: number) => {
    seed.clock.advance(500);
    await sweep(seed.domain);
    for (let half = 1; half < seconds * 2; half++) seed.clock.advance(500);
    await sweep(seed.domain);
  };
  const renew = () => renewLease(seed.domain, admin, { leaseToken, leaseSeconds: LEASE_SECONDS });
  const statusOf = async () => (await seed.readSteps(job.job.id))[0]?.status;

  test.each(jumps)(
    'whose wall clock jumps by %i ms keeps leases that are renewed, and lets those go that are not, within their time and a second (P5, P13)',
    async (jump) => {
      await pass(30);
      seed.clock.jump(jump);
      await pass(30);
      await renew();
      expect(await statusOf()).toBe('RUNNING');
      seed.clock.jump(jump);
      await pass(LEASE_SECONDS - 2);
      expect(await statusOf()).toBe('RUNNING');
      await pass(3);
      expect(await statusOf()).toBe('QUEUED');
    },
  );

  test.each(jumps)('whose wall clock jumps by %i ms ends a cancel at its timeout, as if it had not (P10, P13)', async (jump) => {
    await cancelJob(seed.domain, admin, { jobId: job.job.id, cancelTimeoutSeconds: 20 });
    await pass(10);
    seed.clock.jump(jump);
    await pass(8);
    expect((await seed.readJob(job.job.id)).status).toBe('CANCELLING');
    await pass(3);
    expect((await seed.readJob(job.job.id)).status).toBe('CANCELLED');
  });

  test('whose wall clock jumps forward deletes no idempotency key early, and deletes it when its time has passed (P6, P13)', async () => {
    const create = () => createProject(seed.domain, admin, { name: 'Once', gitRepository: 'same', idempotencyKey: 'once' });
    const { project } = await create();
    await pass(1);
    for (const jump of [30 * 24 * HOUR_MS, -24 * HOUR_MS]) {
      seed.clock.jump(jump);
      await pass(1);
      await forgetNowAndThen(seed.domain)();
      expect((await create()).project.id).toBe(project.id);
    }
    seed.clock.stall(seed.domain.limits.idempotencyHours * HOUR_MS);
    await forgetNowAndThen(seed.domain)();
    expect((await create()).project.id).not.toBe(project.id);
  });

  test('that stood still for longer than a lease expires none, in a claim or a sweep, and the device keeps its step (P13)', async () => {
    seed.clock.stall(10 * LEASE_SECONDS * 1_000);
    await expect(claimStep(seed.domain, admin, { jobId: job.job.id, stepNumber: 0, leaseSeconds: LEASE_SECONDS })).rejects.toThrow(
      'is RUNNING',
    );
    await renew();
    await pass(1);
    expect(await statusOf()).toBe('RUNNING');
  });

  test('that stood still notices dead devices within a lease and a second (P5)', async () => {
    seed.clock.stall(10 * LEASE_SECONDS * 1_000);
    await pass(LEASE_SECONDS - 1);
    expect(await statusOf()).toBe('RUNNING');
    await pass(2);
    expect(await statusOf()).toBe('QUEUED');
  });
});

test('A sweep that finds a recovery in progress waits for it, and nothing is due before it has ended (P13)', async () => {
  const clock = holdClock();
  const guard = new ClockGuard(clock);
  guard.begin();
  clock.jump(HOUR_MS);
  const corrected = Promise.withResolvers<void>();
  const corrections: number[] = [];
  const recover = () =>
    guard.recover(async (jumpMs) => {
      // Only the first one knows of the jump. A second one beside it would have nothing to correct.
      if (corrections.push(jumpMs) === 1) await corrected.promise;
    });
  expect(guard.isRecovering).toBe(true);
  const sweeps = [recover(), recover()];
  await new Promise((resolve) => setImmediate(resolve));
  expect(guard.dueBy()).toEqual(new Date(0));
  corrected.resolve();
  await Promise.all(sweeps);
  expect(corrections).toEqual([HOUR_MS]);
  expect(guard.dueBy()).toEqual(clock.now());
});
