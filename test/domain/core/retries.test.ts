/** Background tasks of the gateway: one that fails does not hold up others. */
import { and, eq } from 'drizzle-orm';
import { afterEach, expect, test } from 'vitest';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { forgiveOutage, sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('The sweep', (on) => {
  /**
   * Sets back the counter of the job's events, so that every write of an event of the job fails, as
   * with a damaged row.
   */
  async function damage(jobId: string) {
    const { db, t } = on().store.read;
    const [counter] = await db
      .select()
      .from(t.streams)
      .where(and(eq(t.streams.jobId, jobId), eq(t.streams.kind, 'event')));
    damaged.set(jobId, counter?.last ?? 0);
    await setCounter(jobId, 0);
  }

  const damaged = new Map<string, number>();
  const setCounter = (jobId: string, last: number) =>
    on().store.write(async ({ db, t }) => {
      await db
        .update(t.streams)
        .set({ last })
        .where(and(eq(t.streams.jobId, jobId), eq(t.streams.kind, 'event')));
    });
  async function mend() {
    for (const [jobId, last] of damaged) await setCounter(jobId, last);
    damaged.clear();
  }
  afterEach(mend);

  const statusOf = async (jobId: string) => (await on().seed.readSteps(jobId))[0]?.status;

  test('expires every other lease when one cannot be expired, and claims continue (P5)', async () => {
    const { seed, claimNext } = on();
    const [damaged, sound] = [await seed.createJob(), await seed.createJob()];
    await seed.claim(damaged, 0, undefined, 1);
    await seed.claim(sound, 0, undefined, 2);
    await damage(damaged.job.id);
    seed.clock.advance(3_000);
    expect(String(await refusalOf(sweep(seed.domain)))).toContain(`The lease of ${damaged.steps[0]?.id}`);
    expect(await statusOf(damaged.job.id)).toBe('RUNNING');
    expect(await statusOf(sound.job.id)).toBe('QUEUED');
    expect((await claimNext(admin)).map(({ step }) => step.jobId)).toEqual([sound.job.id]);
  });

  test('does not stop a claim: one that meets a lease that cannot be expired takes what it can', async () => {
    const { seed, claimNext } = on();
    const [damaged, sound] = [await seed.createJob(), await seed.createJob()];
    await seed.claim(damaged, 0, undefined, 1);
    await seed.claim(sound, 0, undefined, 2);
    await damage(damaged.job.id);
    seed.clock.advance(3_000);
    expect((await claimNext(admin)).map(({ step }) => step.jobId)).toEqual([sound.job.id]);
  });

  test('ends every other overdue job when one cannot be ended (P10)', async () => {
    const { seed } = on();
    const [damaged, sound] = [await seed.createJob(), await seed.createJob()];
    for (const job of [damaged, sound]) {
      await seed.claim(job, 0, undefined, 600);
      await cancelJob(seed.domain, admin, { jobId: job.job.id, cancelTimeoutSeconds: 5 });
    }
    await damage(damaged.job.id);
    seed.clock.advance(6_000);
    expect(String(await refusalOf(sweep(seed.domain)))).toContain(`The timeout of ${damaged.job.id}`);
    expect((await seed.readJob(damaged.job.id)).status).toBe('CANCELLING');
    expect((await seed.readJob(sound.job.id)).status).toBe('CANCELLED');
  });

  test('reports a failing task once, retries it at growing intervals, and completes it when it can', async () => {
    const { seed } = on();
    const { domain, clock } = seed;
    const job = await seed.createJob();
    await seed.claim(job, 0, undefined, 1);
    await damage(job.job.id);
    clock.advance(2_000);
    await refusalOf(sweep(domain));
    const name = `The lease of ${job.steps[0]?.id}`;
    const pauses: number[] = [];
    for (let i = 0; i < 10; i++) {
      const failedAt = clock.now().getTime();
      while (domain.retries.isBackingOff(name, clock.now())) clock.advance(100);
      pauses.push(clock.now().getTime() - failedAt);
      // Not reported again.
      await sweep(domain);
    }
    expect(pauses).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    await mend();
    clock.advance(60_000);
    await sweep(domain);
    expect(await statusOf(job.job.id)).toBe('QUEUED');
    expect(domain.retries.size).toBe(0);
  });

  test('waits no longer when the clock goes back (P13)', async () => {
    const { seed } = on();
    const job = await seed.createJob();
    await seed.claim(job, 0, undefined, 1);
    await damage(job.job.id);
    seed.clock.advance(2_000);
    await refusalOf(sweep(seed.domain));
    const name = `The lease of ${job.steps[0]?.id}`;
    expect(seed.domain.retries.isBackingOff(name, seed.clock.now())).toBe(true);
    seed.clock.jump(-86_400_000);
    expect(seed.domain.retries.isBackingOff(name, seed.clock.now())).toBe(false);
  });

  test('retries every task at once when the store took no writes at all (P12)', async () => {
    const { seed } = on();
    const job = await seed.createJob();
    await seed.claim(job, 0, undefined, 1);
    seed.clock.advance(2_000);
    const { store } = seed.domain;
    const full = { read: store.read, write: () => Promise.reject(new Error('database or disk is full')) };
    const domain = { ...seed.domain, store: Object.assign(Object.create(store), full) };
    expect(String(await refusalOf(sweep(domain)))).toContain('full');
    expect(domain.retries.size).toBe(0);
    await sweep(seed.domain);
    expect(await statusOf(job.job.id)).toBe('QUEUED');
  });
});

describeOnGround('A gateway that starts after an outage', (on) => {
  test('gives a lease its full time again, in the step and its attempt', async () => {
    const { seed } = on();
    const job = await seed.createJob();
    await seed.claim(job, 0, undefined, 60);
    seed.clock.advance(50_000);
    await forgiveOutage(seed.domain);
    const [step] = await seed.readSteps(job.job.id);
    const { db, t } = seed.domain.store.read;
    const [attempt] = await db
      .select()
      .from(t.attempts)
      .where(eq(t.attempts.stepId, step?.id ?? ''));
    expect(step?.leaseExpiresAt).toEqual(new Date('2026-01-01T00:01:50.000Z'));
    expect(attempt?.leaseExpiresAt).toEqual(step?.leaseExpiresAt);
  });
});
