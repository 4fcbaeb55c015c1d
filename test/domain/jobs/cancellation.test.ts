/** Jobs that end early: cancelled, or timed out. */
import { expect, test } from 'vitest';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { reportProgress } from '../../../src/domain/claims/progress.ts';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('A job', (on) => {
  const cancel = (jobId: string, cancelTimeoutSeconds = 30, reason: string | null = 'enough') =>
    cancelJob(on().seed.domain, admin, { jobId, reason, cancelTimeoutSeconds });
  const statusesOf = async ({ seed }: Ground, jobId: string) => [
    (await seed.readJob(jobId)).status,
    ...(await seed.readSteps(jobId)).map(({ status }) => status),
  ];
  const sweepAfter = async ({ seed }: Ground, milliseconds: number) => {
    seed.clock.advance(milliseconds);
    await sweep(seed.domain);
  };

  test('that no device holds is cancelled at once', async () => {
    const { seed } = on();
    const { job } = await seed.createJob(3);
    expect((await cancel(job.id)).job).toMatchObject({
      status: 'CANCELLED',
      reason: 'USER_REQUESTED',
      reasonDescription: 'enough',
      finishedAt: seed.clock.now(),
      deadlineAt: null,
    });
    expect(await statusesOf(on(), job.id)).toEqual(['CANCELLED', 'SKIPPED', 'SKIPPED', 'SKIPPED']);
    expect(await refusalOf(seed.claim(job))).toMatchObject({ code: 'INVALID_STATE', status: 'SKIPPED' });
    expect(await on().claimNext(admin)).toEqual([]);
  });

  test('whose step waits for a retry is cancelled at once', async () => {
    const { seed } = on();
    const { job } = await seed.createJob([{ name: 'Tried', maxAttempts: 2 }, { name: 'Never' }]);
    await failStep(seed.domain, admin, { leaseToken: (await seed.claim(job)).lease.token });
    await cancel(job.id);
    expect(await statusesOf(on(), job.id)).toEqual(['CANCELLED', 'CANCELLED', 'SKIPPED']);
  });

  test.each([
    ['releases it', 'CANCELLED', (ground: Ground, leaseToken: string) => releaseStep(ground.seed.domain, admin, { leaseToken })],
    ['fails it', 'CANCELLED', (ground: Ground, leaseToken: string) => failStep(ground.seed.domain, admin, { leaseToken })],
    [
      'completes it all the same',
      'SUCCEEDED',
      (ground: Ground, leaseToken: string) => completeStep(ground.seed.domain, admin, { leaseToken }),
    ],
    ['is lost', 'CANCELLED', (ground: Ground) => sweepAfter(ground, 10_000)],
  ] as const)('is CANCELLING while a device holds a step, and ends when the device %s (P10)', async (_, left, letGo) => {
    const ground = on();
    const { seed } = ground;
    const { job } = await seed.createJob(3);
    const { lease } = await seed.claim(job, 0, undefined, 10);
    expect((await cancel(job.id, 60)).job).toMatchObject({ status: 'CANCELLING', cancelReason: 'enough' });
    expect(await statusesOf(ground, job.id)).toEqual(['CANCELLING', 'CANCELLING', 'SKIPPED', 'SKIPPED']);
    await letGo(ground, lease.token);
    expect(await statusesOf(ground, job.id)).toEqual(['CANCELLED', left, 'SKIPPED', 'SKIPPED']);
    expect(await seed.readJob(job.id)).toMatchObject({ reason: 'USER_REQUESTED', reasonDescription: 'enough', deadlineAt: null });
    const ends = (await seed.readEvents(job.id)).filter(({ type, to }) => type === 'JOB_STATUS_CHANGED' && to === 'CANCELLED');
    expect(ends).toHaveLength(1);
  });

  test('whose device renews and does not give its step back is cancelled at the cancel timeout (P10)', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    await cancel(job.id, 30);
    seed.clock.advance(20_000);
    await renewLease(seed.domain, admin, { leaseToken: lease.token, leaseSeconds: 3_600 });
    await sweepAfter(on(), 9_999);
    expect(await statusesOf(on(), job.id)).toEqual(['CANCELLING', 'CANCELLING']);
    await sweepAfter(on(), 1);
    expect(await statusesOf(on(), job.id)).toEqual(['CANCELLED', 'CANCELLED']);
    expect(await seed.readJob(job.id)).toMatchObject({ reason: 'CANCEL_TIMEOUT' });
    expect(await refusalOf(completeStep(seed.domain, admin, { leaseToken: lease.token }))).toMatchObject({ code: 'STALE_LEASE' });
  });

  test('that is cancelled twice keeps the earlier timeout', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    await seed.claim(job);
    const at = (seconds: number) => new Date(seed.clock.now().getTime() + seconds * 1_000);
    expect((await cancel(job.id, 30, 'first')).job.deadlineAt).toEqual(at(30));
    expect((await cancel(job.id, 60, null)).job).toMatchObject({ status: 'CANCELLING', deadlineAt: at(30), cancelReason: 'first' });
    expect((await cancel(job.id, 5, 'faster')).job).toMatchObject({ status: 'CANCELLING', deadlineAt: at(5), cancelReason: 'faster' });
    expect((await cancel(job.id, 0)).job).toMatchObject({ status: 'CANCELLED' });
    const changes = (await seed.readEvents(job.id)).filter(({ type }) => type === 'JOB_STATUS_CHANGED');
    expect(changes.map(({ to }) => to)).toEqual(['RUNNING', 'CANCELLING', 'CANCELLED']);
  });

  test('that has ended is not cancelled', async () => {
    const { seed, readAll } = on();
    const { job } = await seed.createJob();
    await completeStep(seed.domain, admin, { leaseToken: (await seed.claim(job)).lease.token });
    const { job: cancelled } = await seed.createJob();
    await cancel(cancelled.id);
    const before = await readAll();
    expect(await refusalOf(cancel(job.id))).toMatchObject({ code: 'INVALID_STATE', status: 'SUCCEEDED' });
    expect(await refusalOf(cancel(cancelled.id, 0))).toMatchObject({ code: 'INVALID_STATE', status: 'CANCELLED' });
    expect(await refusalOf(cancel('job_00000000000000000000000000'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await refusalOf(cancel(job.id, -1))).toMatchObject({ issues: [{ path: ['cancelTimeoutSeconds'] }] });
    expect(await readAll()).toEqual(before);
  });

  test('ends once when it completes and is cancelled at the same time', async () => {
    const { seed } = on();
    for (let round = 0; round < 10; round++) {
      const { job } = await seed.createJob();
      const { lease } = await seed.claim(job);
      const outcomes = await Promise.allSettled([completeStep(seed.domain, admin, { leaseToken: lease.token }), cancel(job.id)]);
      const { status } = await seed.readJob(job.id);
      // The success of the step is recorded either way. How the job ends depends on which change
      // came first.
      expect(outcomes[0]?.status).toBe('fulfilled');
      expect(status).toBe(outcomes[1]?.status === 'fulfilled' ? 'CANCELLED' : 'SUCCEEDED');
      const ends = (await seed.readEvents(job.id)).filter(({ type, to }) => type === 'JOB_STATUS_CHANGED' && to === status);
      expect(ends).toHaveLength(1);
    }
  });

  test('that no device claims fails at its schedule timeout', async () => {
    const { seed } = on();
    const { job } = await seed.createJob(2, { scheduleTimeoutSeconds: 10 });
    await sweepAfter(on(), 9_999);
    expect(await statusesOf(on(), job.id)).toEqual(['QUEUED', 'QUEUED', 'BLOCKED']);
    await sweepAfter(on(), 1);
    expect(await statusesOf(on(), job.id)).toEqual(['FAILED', 'SKIPPED', 'SKIPPED']);
    expect(await seed.readJob(job.id)).toMatchObject({ reason: 'SCHEDULE_TIMEOUT', finishedAt: seed.clock.now() });
  });

  test('that a device has claimed has no schedule timeout any more', async () => {
    const { seed } = on();
    const { job } = await seed.createJob(1, { scheduleTimeoutSeconds: 10 });
    await seed.claim(job, 0, undefined, 3_600);
    await sweepAfter(on(), 60_000);
    expect(await statusesOf(on(), job.id)).toEqual(['RUNNING', 'RUNNING']);
  });

  test('fails at its run timeout, whichever device holds it then', async () => {
    const { seed } = on();
    const { job } = await seed.createJob(2, { runTimeoutSeconds: 100 });
    seed.clock.advance(50_000);
    const first = await seed.claim(job, 0, undefined, 3_600);
    seed.clock.advance(60_000);
    await completeStep(seed.domain, admin, { leaseToken: first.lease.token });
    const second = await seed.claim(job, 1, undefined, 3_600);
    await sweepAfter(on(), 39_999);
    expect(await statusesOf(on(), job.id)).toEqual(['RUNNING', 'SUCCEEDED', 'RUNNING']);
    await sweepAfter(on(), 1);
    expect(await statusesOf(on(), job.id)).toEqual(['CANCELLING', 'SUCCEEDED', 'CANCELLING']);
    const told = await renewLease(seed.domain, admin, { leaseToken: second.lease.token, leaseSeconds: 60 });
    expect(told).toMatchObject({ isCancelRequested: true, cancelReason: 'The job ran longer than its run timeout.' });
    await sweepAfter(on(), 30_000);
    expect(await statusesOf(on(), job.id)).toEqual(['FAILED', 'SUCCEEDED', 'FAILED']);
    expect(await seed.readJob(job.id)).toMatchObject({ reason: 'RUN_TIMEOUT' });
    expect(await refusalOf(completeStep(seed.domain, admin, { leaseToken: second.lease.token }))).toMatchObject({ code: 'STALE_LEASE' });
  });

  test.each([
    ['fails', failStep, 'FAILED'],
    ['gives back', releaseStep, 'FAILED'],
    ['completes', completeStep, 'SUCCEEDED'],
  ] as const)(
    'that reached its run timeout keeps what its device submits, and fails when the device %s the step (P18)',
    async (_, end, stepStatus) => {
      const { seed } = on();
      const { job } = await seed.createJob(1, { runTimeoutSeconds: 100 });
      const { lease } = await seed.claim(job, 0, undefined, 3_600);
      await sweepAfter(on(), 100_000);
      const leaseToken = lease.token;
      const { fragment } = await createFragment(seed.domain, admin, {
        jobId: job.id,
        leaseToken,
        filename: 'model.txt',
        type: 'DATA',
        text: 'w',
      });
      expect(fragment.status).toBe('READY');
      await reportProgress(seed.domain, admin, {
        leaseToken,
        log: [{ offset: 0, stream: 'STDOUT', text: 'last words', at: seed.clock.now() }],
      });
      await end(seed.domain, admin, { leaseToken });
      expect(await statusesOf(on(), job.id)).toEqual(['FAILED', stepStatus]);
      expect(await seed.readJob(job.id)).toMatchObject({ reason: 'RUN_TIMEOUT', finishedAt: seed.clock.now() });
    },
  );

  test('that reached its run timeout fails, even if it is cancelled after that or its lease expires', async () => {
    const { seed } = on();
    for (const isCancelled of [true, false]) {
      const { job } = await seed.createJob(1, { runTimeoutSeconds: 100 });
      const { lease } = await seed.claim(job, 0, undefined, 105);
      await sweepAfter(on(), 100_000);
      if (isCancelled) {
        await cancelJob(seed.domain, admin, { jobId: job.id, reason: 'enough', cancelTimeoutSeconds: 5 });
        await failStep(seed.domain, admin, { leaseToken: lease.token });
      } else await sweepAfter(on(), 6_000);
      expect(await seed.readJob(job.id)).toMatchObject({ status: 'FAILED', reason: 'RUN_TIMEOUT' });
    }
  });

  test('with a timeout does not end early when the clock jumps back (P13)', async () => {
    const { seed } = on();
    const { job } = await seed.createJob(1, { scheduleTimeoutSeconds: 10 });
    seed.clock.jump(-3_600_000);
    await sweepAfter(on(), 10_000);
    const { lease } = await seed.claim(job);
    expect(await completeStep(seed.domain, admin, { leaseToken: lease.token })).toMatchObject({ job: { status: 'SUCCEEDED' } });
  });

  test('that ends takes its own key with it, and no other', async () => {
    const { seed } = on();
    const one = await seed.createJob();
    const other = await seed.createJob();
    await cancel(one.job.id);
    await expect(seed.principalOf(one.token)).rejects.toThrow();
    expect(await seed.principalOf(other.token)).toMatchObject({ kind: 'JOB', jobId: other.job.id });
  });
});
