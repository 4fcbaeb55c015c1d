/**
 * Claims that wait for work are woken when there is some, and leave nothing behind when there is
 * none.
 */
import { expect, test } from 'vitest';
import { claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { updateDevice } from '../../../src/domain/steps/devices.ts';
import { describeOnGround, watchWrites } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('A claim that waits', (on) => {
  /** Starts to wait. Resolves after the first look. */
  async function wait(principal = admin, signal?: AbortSignal) {
    const { seed, wakeups } = on();
    const watched = watchWrites(seed.domain);
    const looked = watched.next();
    const input = { projectId: seed.project.id, limit: 1, leaseSeconds: 60, waitSeconds: 30 };
    const claims = claimNextSteps(watched.domain, principal, input, { wakeups, signal }).then(({ claims }) => claims);
    await looked;
    return { claims };
  }

  test('is answered as soon as a step is queued, without the clock moving', async () => {
    const { seed, wakeups } = on();
    const waiting = await wait((await seed.registerDevice()).principal);
    const { job } = await seed.createJob();
    expect((await waiting.claims).map(({ step }) => step.jobId)).toEqual([job.id]);
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });

  test('is answered as soon as the step before succeeds, and one that failed is queued again', async () => {
    const { seed } = on();
    const { job } = await seed.createJob([{ name: 'First' }, { name: 'Second', maxAttempts: 2 }]);
    const first = await seed.claim(job);
    const next = await wait();
    await completeStep(seed.domain, admin, { leaseToken: first.lease.token });
    const [second] = await next.claims;
    const again = await wait();
    await failStep(seed.domain, admin, { leaseToken: second?.lease.token ?? '' });
    expect((await again.claims).map(({ step, lease }) => [step.number, lease.attempt])).toEqual([[1, 2]]);
  });

  test('is answered as soon as its device has free capacity', async () => {
    const { seed, claimNext } = on();
    const { device, principal } = await seed.registerDevice({ slots: 1 });
    const { job } = await seed.createJob();
    const { job: next } = await seed.createJob();
    const [held] = await claimNext(principal);
    expect(held?.step.jobId).toBe(job.id);
    const waiting = await wait(principal);
    await completeStep(seed.domain, principal, { leaseToken: held?.lease.token ?? '' });
    const [taken] = await waiting.claims;
    expect(taken?.step.jobId).toBe(next.id);
    const { job: third } = await seed.createJob();
    const more = await wait(principal);
    await updateDevice(seed.domain, admin, { deviceId: device.id, slots: 2 });
    expect((await more.claims).map(({ step }) => step.jobId)).toEqual([third.id]);
  });

  test('returns no steps when its time is up, and leaves nothing behind', async () => {
    const { seed, wakeups } = on();
    const waiting = await wait();
    // In steps: at each safety poll the claim looks and waits again.
    let isOver = false;
    const claims = waiting.claims.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      if (seed.clock.waiting > 0) seed.clock.advance(5_000);
      await new Promise(setImmediate);
    }
    expect(await claims).toEqual([]);
    expect(seed.clock.now()).toEqual(new Date('2026-01-01T00:00:30.000Z'));
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });

  test('that is aborted takes nothing, not even a step that is queued at that moment', async () => {
    const { seed, wakeups } = on();
    const giveUp = new AbortController();
    const waiting = await wait(admin, giveUp.signal);
    const created = seed.createJob();
    giveUp.abort();
    const { job } = await created;
    expect(await waiting.claims).toEqual([]);
    expect((await seed.readSteps(job.id)).map(({ status }) => status)).toEqual(['QUEUED']);
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });

  test('keeps its device online', async () => {
    const { seed } = on();
    const { device, principal } = await seed.registerDevice();
    const waiting = await wait(principal);
    const seen = async () => {
      const { db, t } = seed.domain.store.read;
      return (await db.select().from(t.devices)).find(({ id }) => id === device.id)?.lastSeenAt?.getTime() ?? 0;
    };
    const before = await seen();
    while ((await seen()) === before) {
      if (seed.clock.waiting > 0) seed.clock.advance(5_000);
      await new Promise(setImmediate);
    }
    await seed.createJob();
    expect(await waiting.claims).toHaveLength(1);
  });

  test('shares one step with many others: one claim gets it, the others keep waiting', async () => {
    const { seed, wakeups } = on();
    const giveUp = new AbortController();
    const waiting = await Promise.all(Array.from({ length: 8 }, () => wait(admin, giveUp.signal)));
    const { job } = await seed.createJob();
    const first = await Promise.race(waiting.map(({ claims }) => claims));
    expect(first.map(({ step }) => step.jobId)).toEqual([job.id]);
    giveUp.abort();
    expect((await Promise.all(waiting.map(({ claims }) => claims))).flat()).toHaveLength(1);
    expect(wakeups.size).toBe(0);
  });
});
