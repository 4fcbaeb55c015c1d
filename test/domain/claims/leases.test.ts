/**
 * Leases: renewed, given back, expired; and the fence that stops a device that lost its lease (P3).
 */
import { describe, expect, test } from 'vitest';
import { authenticate } from '../../../src/domain/access/keys.ts';
import type { Claim } from '../../../src/domain/claims/claims.ts';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportProgress, reportTelemetry } from '../../../src/domain/claims/progress.ts';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { StaleLease } from '../../../src/domain/core/refusals.ts';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { setJobOutput } from '../../../src/domain/jobs/outputs.ts';
import { registerDevice, updateDevice } from '../../../src/domain/steps/devices.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

const metrics = [{ name: 'loss', value: 1, iteration: 1 }];
const log = [{ offset: 0, text: 'late\n', stream: 'STDOUT' as const }];
const samples = [{ cpu: 1, memoryMb: 1 }];

/** Every mutation that needs a lease. */
const mutations: Record<string, (domain: Domain, leaseToken: string, jobId: string) => Promise<unknown>> = {
  renewLease: (domain, leaseToken) => renewLease(domain, admin, { leaseToken, leaseSeconds: 60 }),
  releaseStep: (domain, leaseToken) => releaseStep(domain, admin, { leaseToken }),
  completeStep: (domain, leaseToken) => completeStep(domain, admin, { leaseToken, metrics, output: { late: true } }),
  failStep: (domain, leaseToken) => failStep(domain, admin, { leaseToken }),
  reportProgress: (domain, leaseToken) =>
    reportProgress(domain, admin, { leaseToken, metrics, log, telemetry: samples, statusMessage: 'late', leaseSeconds: 60 }),
  reportMetrics: (domain, leaseToken) => reportMetrics(domain, admin, { leaseToken, metrics }),
  reportTelemetry: (domain, leaseToken) => reportTelemetry(domain, admin, { leaseToken, samples }),
  appendLog: (domain, leaseToken) => appendLog(domain, admin, { leaseToken, chunks: log }),
  createFragment: (domain, leaseToken, jobId) =>
    createFragment(domain, admin, { leaseToken, jobId, filename: 'late.txt', type: 'DATA', text: 'late' }),
  setJobOutput: (domain, leaseToken, jobId) => setJobOutput(domain, admin, { leaseToken, jobId, output: { late: true } }),
};

/** All ways to lose a lease. */
const losses: Record<string, (ground: Ground, claim: Claim) => Promise<unknown>> = {
  'has run out, before anyone has noticed': async ({ seed }) => seed.clock.advance(60_000),
  'has run out, and was swept': async ({ seed }) => {
    seed.clock.advance(60_000);
    await sweep(seed.domain);
  },
  'was released': ({ seed }, { lease }) => releaseStep(seed.domain, admin, { leaseToken: lease.token }),
  'was released, and the step claimed again': async ({ seed }, { step, lease }) => {
    await releaseStep(seed.domain, admin, { leaseToken: lease.token });
    await seed.claim(await seed.readJob(step.jobId));
  },
  'has run out, and the step claimed again': async ({ seed, claimNext }) => {
    seed.clock.advance(60_000);
    await claimNext(admin);
  },
  'has completed the step': ({ seed }, { lease }) => completeStep(seed.domain, admin, { leaseToken: lease.token }),
  'has failed the step': ({ seed }, { lease }) => failStep(seed.domain, admin, { leaseToken: lease.token }),
  'ended with its job, cancelled at once': ({ seed }, { step }) =>
    cancelJob(seed.domain, admin, { jobId: step.jobId, cancelTimeoutSeconds: 0 }),
};

describeOnGround('A lease', (on) => {
  describe.each(Object.entries(losses))('that %s', (_, lose) => {
    test.each(Object.entries(mutations))('is stale to %s, which changes nothing (P3)', async (_, mutate) => {
      const ground = on();
      const { seed, readAll } = ground;
      const { job } = await seed.createJob(2);
      const claim = await seed.claim(job);
      await lose(ground, claim);
      const before = await readAll();
      const refusal = await refusalOf(mutate(seed.domain, claim.lease.token, job.id));
      expect(refusal).toBeInstanceOf(StaleLease);
      expect(refusal).toMatchObject({ code: 'STALE_LEASE', step: { id: claim.step.id } });
      expect(await readAll()).toEqual(before);
      expect(await authenticate(seed.domain, `Bearer ${claim.lease.token}`)).toBeNull();
    });
  });

  test.each(Object.entries(mutations))('that is current lets %s pass', async (_, mutate) => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    seed.clock.advance(59_999);
    await mutate(seed.domain, lease.token, job.id);
  });

  test.each(['', 'lease_', 'tyk_something', 'lease_00000000000000000000000000_1_0123456789012345678901234567890123456789012', '\0'])(
    '%j was never answered by a claim: the input is refused',
    async (token) => {
      const { seed } = on();
      for (const mutate of Object.values(mutations).slice(0, 8)) {
        expect(await refusalOf(mutate(seed.domain, token, ''))).toMatchObject({
          code: 'INVALID_INPUT',
          issues: [{ path: ['leaseToken'] }],
        });
      }
    },
  );

  test('with the right step and another secret is stale', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const forged = `${lease.token.slice(0, -1)}${lease.token.endsWith('A') ? 'B' : 'A'}`;
    expect(await refusalOf(completeStep(seed.domain, admin, { leaseToken: forged }))).toBeInstanceOf(StaleLease);
    await completeStep(seed.domain, admin, { leaseToken: lease.token });
  });

  test('of one job cannot write the output or a fragment of another', async () => {
    const { seed, readAll } = on();
    const { job } = await seed.createJob();
    const { job: other } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const before = await readAll();
    for (const mutate of [mutations.setJobOutput, mutations.createFragment]) {
      expect(await refusalOf(mutate?.(seed.domain, lease.token, other.id) ?? Promise.resolve())).toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: ['jobId'] }],
      });
    }
    expect(await readAll()).toEqual(before);
  });

  test('that is renewed expires later, both in the step and in its attempt', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { step, lease } = await seed.claim(job, 0, undefined, 10);
    seed.clock.advance(9_000);
    const expiresAt = new Date(seed.clock.now().getTime() + 20_500);
    const renewed = await renewLease(seed.domain, admin, { leaseToken: lease.token, leaseSeconds: 20.5 });
    expect(renewed).toEqual({
      lease: { token: lease.token, attempt: 1, expiresAt },
      isCancelRequested: false,
      cancelReason: null,
      isPreempted: false,
      isDraining: false,
    });
    expect(await seed.readSteps(job.id)).toMatchObject([{ leaseExpiresAt: expiresAt, leaseSeconds: 20.5 }]);
    const { db, t } = seed.domain.store.read;
    expect((await db.select().from(t.attempts)).filter(({ stepId }) => stepId === step.id)).toMatchObject([{ leaseExpiresAt: expiresAt }]);
    seed.clock.advance(20_499);
    await sweep(seed.domain);
    expect(await seed.readSteps(job.id)).toMatchObject([{ status: 'RUNNING' }]);
    seed.clock.advance(1);
    await sweep(seed.domain);
    expect(await seed.readSteps(job.id)).toMatchObject([{ status: 'QUEUED', leaseHash: null }]);
  });

  test('that is renewed reports a cancel request and draining', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const one = await seed.registerDevice();
    const { lease } = await seed.claim(job, 0, one);
    await updateDevice(seed.domain, admin, { deviceId: one.device.id, isDraining: true });
    await cancelJob(seed.domain, admin, { jobId: job.id, reason: 'enough', cancelTimeoutSeconds: 30 });
    expect(await renewLease(seed.domain, one.principal, { leaseToken: lease.token, leaseSeconds: 60 })).toMatchObject({
      isCancelRequested: true,
      cancelReason: 'enough',
      isDraining: true,
    });
    expect(await reportProgress(seed.domain, one.principal, { leaseToken: lease.token })).toMatchObject({
      isCancelRequested: true,
      isDraining: true,
    });
  });

  test('that has expired is handled by the next claim, without any sweep (P5)', async () => {
    const { seed, claimNext } = on();
    const { job } = await seed.createJob();
    const [lost, heir] = [await seed.registerDevice(), await seed.registerDevice()];
    await seed.claim(job, 0, lost, 30);
    seed.clock.advance(29_999);
    expect(await claimNext(heir.principal)).toEqual([]);
    seed.clock.advance(1);
    expect((await claimNext(heir.principal)).map(({ lease }) => lease.attempt)).toEqual([2]);
    const changes = (await seed.readEvents(job.id)).filter(({ type }) => type === 'STEP_STATUS_CHANGED');
    expect(changes.map(({ from, to, attempt, reason, actor }) => [from, to, attempt, reason, actor.split(':')[0]])).toEqual([
      ['QUEUED', 'RUNNING', 1, 'CLAIMED', 'device'],
      ['RUNNING', 'QUEUED', 1, 'LEASE_EXPIRED', 'trainyard'],
      ['QUEUED', 'RUNNING', 2, 'CLAIMED', 'device'],
    ]);
  });

  test('that has expired is handled by a claim by step number as well', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    await seed.claim(job, 0, undefined, 30);
    seed.clock.advance(30_000);
    expect((await seed.claim(job)).lease.attempt).toBe(2);
  });

  test('that is lost three times exhausts the attempts of its step, and fails the job', async () => {
    const { seed } = on();
    const { job } = await seed.createJob([{ name: 'Doomed', maxAttempts: 100 }, { name: 'Never' }]);
    for (const attempt of [1, 2, 3]) {
      expect((await seed.claim(job, 0, undefined, 10)).lease.attempt).toBe(attempt);
      seed.clock.advance(10_000);
      await sweep(seed.domain);
    }
    expect(await seed.readSteps(job.id)).toMatchObject([
      { status: 'FAILED', attemptCount: 3, lostCount: 3, failedCount: 0 },
      { status: 'SKIPPED' },
    ]);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'FAILED', reason: 'ATTEMPTS_EXHAUSTED' });
    const { db, t } = seed.domain.store.read;
    const attempts = (await db.select().from(t.attempts)).filter(({ jobId }) => jobId === job.id);
    expect(attempts.map(({ outcome, reason }) => [outcome, reason]).sort()).toEqual([
      ['LOST', 'ATTEMPTS_EXHAUSTED'],
      ['LOST', 'LEASE_EXPIRED'],
      ['LOST', 'LEASE_EXPIRED'],
    ]);
  });

  test('that is released, or lost, does not count against maxAttempts; a reported failure does', async () => {
    const { seed } = on();
    const { job } = await seed.createJob([{ name: 'Tried', maxAttempts: 2 }]);
    for (let i = 0; i < 5; i++)
      await releaseStep(seed.domain, admin, { leaseToken: (await seed.claim(job)).lease.token, description: 'later' });
    const failed = await failStep(seed.domain, admin, { leaseToken: (await seed.claim(job)).lease.token, exitCode: 3 });
    expect(failed).toMatchObject({ step: { status: 'QUEUED', failedCount: 1, attemptCount: 6 }, job: { status: 'RUNNING' } });
    await seed.claim(job, 0, undefined, 10);
    seed.clock.advance(10_000);
    await sweep(seed.domain);
    expect(await seed.readSteps(job.id)).toMatchObject([{ status: 'QUEUED', lostCount: 1 }]);
    const { lease } = await seed.claim(job);
    expect(await failStep(seed.domain, admin, { leaseToken: lease.token, reason: 'EXIT_CODE', exitCode: 7 })).toMatchObject({
      step: { status: 'FAILED', failedCount: 2, attemptCount: 8 },
      job: { status: 'FAILED', reason: 'EXIT_CODE', exitCode: 7, reasonDescription: 'Step 0 (Tried) failed.' },
    });
  });

  test('ends at the first reported failure by default, with a reason that a device may report', async () => {
    const { seed } = on();
    const { job } = await seed.createJob(2);
    const { lease } = await seed.claim(job);
    expect(await refusalOf(failStep(seed.domain, admin, { leaseToken: lease.token, reason: 'LEASE_EXPIRED' }))).toMatchObject({
      issues: [{ path: ['reason'] }],
    });
    await failStep(seed.domain, admin, { leaseToken: lease.token, reason: 'OUT_OF_MEMORY', description: 'killed' });
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'FAILED', reason: 'OUT_OF_MEMORY', reasonDescription: 'killed' });
    expect((await seed.readSteps(job.id)).map(({ status }) => status)).toEqual(['FAILED', 'SKIPPED']);
  });

  test('is visible only to its project', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const stranger = { ...admin, projectId: 'proj_00000000000000000000000000' };
    expect(await refusalOf(completeStep(seed.domain, stranger, { leaseToken: lease.token }))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('keeps its device online while it is used', async () => {
    const { seed } = on();
    const one = await seed.registerDevice();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job, 0, one, 600);
    seed.clock.advance(120_000);
    await renewLease(seed.domain, one.principal, { leaseToken: lease.token, leaseSeconds: 60 });
    const { db, t } = seed.domain.store.read;
    const [row] = (await db.select().from(t.devices)).filter(({ id }) => id === one.device.id);
    expect(row?.lastSeenAt).toEqual(seed.clock.now());
  });
});

describeOnGround('A fragment', (on) => {
  test('that is created many times at once under one name exists once, and the other requests get its id', async () => {
    const { seed } = on();
    const input = { projectId: seed.project.id, filename: 'once.txt', type: 'DATA', text: 'x' } as const;
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => createFragment(seed.domain, admin, input)));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of made) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('that is created with a lease token as the key is refused as stale if the lease ended after the key was checked (P3)', async () => {
    const { seed, readAll } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const principal = await seed.principalOf(lease.token);
    const input = { jobId: job.id, type: 'DATA', text: 'x' } as const;
    expect(await createFragment(seed.domain, principal, { ...input, filename: 'in time.txt' })).toMatchObject({ fragment: { attempt: 1 } });
    await releaseStep(seed.domain, admin, { leaseToken: lease.token });
    await seed.claim(job);
    const before = await readAll();
    expect(await refusalOf(createFragment(seed.domain, principal, { ...input, filename: 'late.txt' }))).toBeInstanceOf(StaleLease);
    expect(await readAll()).toEqual(before);
  });
});

describeOnGround('A device', (on) => {
  test('that is registered many times at once under one name is one device', async () => {
    const { seed } = on();
    const input = { projectId: seed.project.id, name: 'the one' };
    const made = await Promise.all(Array.from({ length: 8 }, () => registerDevice(seed.domain, admin, input)));
    expect(new Set(made.map(({ device }) => device.id)).size).toBe(1);
    expect(made.filter(({ apiKey }) => apiKey !== null)).toHaveLength(1);
  });
});
