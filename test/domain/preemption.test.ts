/** Preemption: who makes room for whom, how it goes, and what is left of it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { cancelJob } from '../../src/domain/cancellation.ts';
import { type Claim, claimStep } from '../../src/domain/claims.ts';
import { registerDevice, updateDevice } from '../../src/domain/devices.ts';
import { addSteps } from '../../src/domain/jobs.ts';
import { releaseStep, renewLease } from '../../src/domain/leases.ts';
import { countClaimable, whyNot } from '../../src/domain/matching.ts';
import { completeStep, failStep } from '../../src/domain/outcomes.ts';
import { keepMakingRoom, makeRoom } from '../../src/domain/preemption.ts';
import { reportProgress } from '../../src/domain/progress.ts';
import { createProject } from '../../src/domain/projects.ts';
import { sweep } from '../../src/domain/timekeeping.ts';
import type { AttemptRow } from '../../src/store/tables.ts';
import { eventually } from '../agent/eventually.ts';
import { describeOnGround, refusalOf } from '../support/ground.ts';
import { admin, type Seed, type SeededDevice } from '../support/seed.ts';

describeOnGround('Preemption', (on) => {
  let seed: Seed;
  beforeEach(() => {
    seed = on().seed;
  });

  const renew = ({ lease }: Claim) => renewLease(seed.domain, admin, { leaseToken: lease.token, leaseSeconds: 60 });
  const isTold = async (claim: Claim) => (await renew(claim)).isPreempted;
  const release = ({ lease }: Claim, description?: string) => releaseStep(seed.domain, admin, { leaseToken: lease.token, description });
  const complete = ({ lease }: Claim) => completeStep(seed.domain, admin, { leaseToken: lease.token });
  const claimOn = (device: SeededDevice, limit = 1) => on().claimNext(device.principal, { limit });

  /** A job of one preemptible step that the device runs. */
  async function occupy(device: SeededDevice, name: string, { cpu = 1, priority = 0 } = {}): Promise<Claim> {
    const seeded = await seed.createJob([{ name, resources: { cpu } }], { name, priority, isPreemptible: true });
    const claim = await seed.claim(seeded, 0, device);
    seed.clock.advance(1_000);
    return claim;
  }

  /** A job of one step that may not be preempted, a second younger than what came before it. */
  async function queue(name: string, { cpu = 1, priority = 0, isPreemptible = false } = {}) {
    const { job } = await seed.createJob([{ name, resources: { cpu } }], { name, priority, isPreemptible });
    seed.clock.advance(1_000);
    return job;
  }

  const attemptsOf = async (stepId: string): Promise<AttemptRow[]> => {
    const { db, t } = seed.domain.store.read;
    return (await db.select().from(t.attempts)).filter((attempt) => attempt.stepId === stepId).sort((a, b) => a.number - b.number);
  };
  const changesOf = async (jobId: string, type: string) =>
    (await seed.readEvents(jobId))
      .filter((event) => event.type === type)
      .map(({ from, to, reason, description }) => [from, to, reason, description]);

  test('gives the place of a preemptible step to one that has nowhere to run, and brings it back later (n8)', async () => {
    const device = await seed.registerDevice({ slots: 1, resources: { cpu: 4 } });
    const victim = await occupy(device, 'Patient');
    expect(await isTold(victim)).toBe(false);
    const urgent = await queue('Urgent');
    expect(await claimOn(device)).toEqual([]);
    await makeRoom(seed.domain);

    // The device is told by whatever it sends next.
    expect(await isTold(victim)).toBe(true);
    expect(await reportProgress(seed.domain, admin, { leaseToken: victim.lease.token })).toMatchObject({ isPreempted: true });
    expect(await seed.readJob(victim.step.jobId)).toMatchObject({ status: 'RUNNING' });

    const { step } = await release(victim, 'Given back.');
    expect(step).toMatchObject({ status: 'QUEUED', failedCount: 0, lostCount: 0, queuedAt: seed.clock.now() });
    expect(await seed.readJob(victim.step.jobId)).toMatchObject({ status: 'SUSPENDED', reason: 'PREEMPTED' });
    const [attempt] = await attemptsOf(victim.step.id);
    const said = `It made room for step 0 of Urgent (${urgent.id}). Given back.`;
    expect(attempt).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED', description: said });

    const [taken, ...others] = await claimOn(device, 5);
    expect([taken?.step.jobId, others]).toEqual([urgent.id, []]);
    await complete(taken as Claim); // it is there: see the line above
    const [again] = await claimOn(device);
    expect(again).toMatchObject({ step: { jobId: victim.step.jobId, status: 'RUNNING' }, lease: { attempt: 2 } });
    expect(await isTold(again as Claim)).toBe(false);
    await complete(again as Claim);

    const { name } = device.device;
    expect(await changesOf(urgent.id, 'STEP_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}, in place of step 0 of Patient (${victim.step.jobId}).`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
    expect(await changesOf(victim.step.jobId, 'STEP_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'QUEUED', 'PREEMPTED', said],
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
    expect(await changesOf(victim.step.jobId, 'JOB_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUSPENDED', 'PREEMPTED', said],
      ['SUSPENDED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
  });

  describe('tells no one', () => {
    test.each([
      { why: 'of a higher priority', victim: { priority: 1 }, waiting: {} },
      { why: 'for a step that is preemptible itself', victim: {}, waiting: { isPreemptible: true } },
      { why: 'whose going would not be enough', victim: { cpu: 1 }, waiting: { cpu: 5 } },
    ])('$why', async ({ victim, waiting }) => {
      const device = await seed.registerDevice({ slots: 1, resources: { cpu: 4 } });
      const claim = await occupy(device, 'Victim', victim);
      await queue('Waiting', waiting);
      await makeRoom(seed.domain);
      expect(await isTold(claim)).toBe(false);
    });

    test('who may not be preempted', async () => {
      const device = await seed.registerDevice({ slots: 1 });
      const claim = await seed.claim(await seed.createJob(1), 0, device);
      const { job } = await seed.createJob(1, { priority: 100 });
      await makeRoom(seed.domain);
      expect(await isTold(claim)).toBe(false);
      // Tests of one file share a store, and one of them a device of all projects.
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    });

    test('while the step has somewhere to run', async () => {
      const [full, free] = [
        await seed.registerDevice({ slots: 1, resources: { cpu: 1 } }),
        await seed.registerDevice({ resources: { cpu: 1 } }),
      ];
      const claim = await occupy(full, 'Victim');
      const job = await queue('Waiting');
      await makeRoom(seed.domain);
      expect(await isTold(claim)).toBe(false);
      expect((await claimOn(free)).map(({ step }) => step.jobId)).toEqual([job.id]);
    });

    test('on a device that drains, and counts one that is gone as nowhere to run', async () => {
      const draining = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const claim = await occupy(draining, 'Victim');
      await updateDevice(seed.domain, admin, { deviceId: draining.device.id, isDraining: true });
      await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const there = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const victim = await occupy(there, 'Victim');
      await queue('Waiting');
      seed.clock.advance(50_000);
      await renew(claim);
      await renew(victim);
      seed.clock.advance(20_000);
      await makeRoom(seed.domain);
      expect([await isTold(claim), await isTold(victim)]).toEqual([false, true]);
    });

    test('more than once for a step, nor twice when two gateways look at once', async () => {
      const devices = [
        await seed.registerDevice({ slots: 1, resources: { cpu: 1 } }),
        await seed.registerDevice({ slots: 1, resources: { cpu: 1 } }),
      ];
      const claims = [];
      for (const device of devices) claims.push(await occupy(device, 'Victim'));
      await queue('Waiting');
      await Promise.all([makeRoom(seed.domain), makeRoom(seed.domain), makeRoom(seed.domain)]);
      await makeRoom(seed.domain);
      await sweep(seed.domain);
      const told = await Promise.all(claims.map(isTold));
      expect(told.filter(Boolean)).toHaveLength(1);
      await queue('Also waiting');
      await sweep(seed.domain);
      expect(await Promise.all(claims.map(isTold))).toEqual([true, true]);
    });
  });

  describe('chooses', () => {
    const told = async (claims: Record<string, Claim>) => {
      const names = [];
      for (const [name, claim] of Object.entries(claims)) if (await isTold(claim)) names.push(name);
      return names;
    };

    test('the fewest, though they are older', async () => {
      const device = await seed.registerDevice({ resources: { cpu: 8 } });
      const claims = {
        large: await occupy(device, 'Large', { cpu: 4 }),
        small: await occupy(device, 'Small', { cpu: 2 }),
        smaller: await occupy(device, 'Smaller', { cpu: 2 }),
      };
      await queue('Waiting', { cpu: 4 });
      await makeRoom(seed.domain);
      expect(await told(claims)).toEqual(['large']);
    });

    test('as many as it takes, and no one who need not go', async () => {
      const device = await seed.registerDevice({ resources: { cpu: 8 } });
      const claims = {
        one: await occupy(device, 'One', { cpu: 1 }),
        three: await occupy(device, 'Three', { cpu: 3 }),
        two: await occupy(device, 'Two', { cpu: 2 }),
        another: await occupy(device, 'Another', { cpu: 2 }),
      };
      const job = await queue('Waiting', { cpu: 5 });
      await makeRoom(seed.domain);
      expect(await told(claims)).toEqual(['three', 'another']);
      await release(claims.three);
      expect(await claimOn(device)).toEqual([]);
      await release(claims.another);
      const [claim] = await claimOn(device);
      expect(claim?.step.jobId).toBe(job.id);
      expect((await seed.readEvents(job.id)).at(-1)?.description).toMatch(/, in place of step 0 of Another .* and step 0 of Three /);
    });

    test('the lowest priority, then the youngest, over all devices', async () => {
      const devices = [
        await seed.registerDevice({ slots: 2, resources: { cpu: 2 } }),
        await seed.registerDevice({ slots: 2, resources: { cpu: 2 } }),
      ];
      const [one, two] = devices;
      if (!one || !two) throw new Error('There are two devices.');
      const claims = {
        high: await occupy(one, 'High', { priority: 2 }),
        old: await occupy(one, 'Old', { priority: 1 }),
        middle: await occupy(two, 'Middle', { priority: 1 }),
        young: await occupy(two, 'Young', { priority: 1 }),
      };
      await queue('First', { priority: 2 });
      await makeRoom(seed.domain);
      expect(await told(claims)).toEqual(['young']);
      await queue('Second', { priority: 2 });
      await makeRoom(seed.domain);
      expect(await told(claims)).toEqual(['middle', 'young']);
    });

    test('for those of the highest priority first', async () => {
      const device = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const victim = await occupy(device, 'Victim');
      await queue('Low');
      const high = await queue('High', { priority: 5 });
      await makeRoom(seed.domain);
      await release(victim);
      expect((await claimOn(device)).map(({ step }) => step.jobId)).toEqual([high.id]);
    });
  });

  describe('keeps the room that was made', () => {
    test('for the step that it was made for, also against older ones of its priority', async () => {
      const device = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const victim = await occupy(device, 'Victim');
      const older = await queue('Older', { isPreemptible: true });
      const urgent = await queue('Urgent');
      await makeRoom(seed.domain);
      const [waiting] = await seed.readSteps(urgent.id);
      if (!waiting) throw new Error('The job has a step.');
      expect(await whyNot(seed.domain, admin, waiting, null)).toMatchObject([
        { requirement: 'slots' },
        { requirement: 'cpu' },
        { requirement: 'preemption' },
      ]);
      await release(victim);
      const [passed] = await seed.readSteps(older.id);
      if (!passed) throw new Error('The job has a step.');
      expect(await whyNot(seed.domain, admin, passed, null)).toMatchObject([{ requirement: 'reserved' }]);
      expect(await whyNot(seed.domain, admin, waiting, null)).toEqual([]);
      expect(await countClaimable(seed.domain, device.device.id)).toBe(1);
      const byName = claimStep(seed.domain, device.principal, { jobId: older.id, stepNumber: 0, leaseSeconds: 60 });
      expect(await refusalOf(byName)).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['deviceId'], message: /kept/ }] });
      const [claim] = await claimOn(device);
      expect(claim?.step.jobId).toBe(urgent.id);
      await complete(claim as Claim); // it is there: see the line above
      // And what was preempted stands behind who waited before.
      const [next] = await claimOn(device);
      expect(next?.step.jobId).toBe(older.id);
    });

    test('but not against a higher priority, and then makes room anew', async () => {
      const devices = [
        await seed.registerDevice({ slots: 1, resources: { cpu: 1 } }),
        await seed.registerDevice({ slots: 1, resources: { cpu: 1 } }),
      ];
      const [one, two] = devices;
      if (!one || !two) throw new Error('There are two devices.');
      const [old, young] = [await occupy(one, 'Old'), await occupy(two, 'Young')];
      const urgent = await queue('Urgent');
      await makeRoom(seed.domain);
      expect([await isTold(old), await isTold(young)]).toEqual([false, true]);
      await release(young);
      const higher = await queue('Higher', { priority: 9 });
      expect((await claimOn(two)).map(({ step }) => step.jobId)).toEqual([higher.id]);
      await makeRoom(seed.domain);
      expect(await isTold(old)).toBe(true);
      await release(old);
      expect((await claimOn(one)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
    });

    test('until it is claimed elsewhere', async () => {
      const device = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const victim = await occupy(device, 'Victim');
      const urgent = await queue('Urgent');
      await makeRoom(seed.domain);
      const other = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      expect((await claimOn(other)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
      expect((await seed.readEvents(urgent.id)).at(-1)?.description).toBe(`Claimed by ${other.device.name}.`);
      await release(victim);
      expect((await claimOn(device)).map(({ step }) => step.jobId)).toEqual([victim.step.jobId]);
    });

    test('on a device that is there: when it drains, room is made elsewhere', async () => {
      const one = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const old = await occupy(one, 'Old');
      await queue('Urgent');
      await makeRoom(seed.domain);
      expect(await isTold(old)).toBe(true);
      const two = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      const young = await occupy(two, 'Young');
      await makeRoom(seed.domain);
      expect(await isTold(young)).toBe(false);
      await updateDevice(seed.domain, admin, { deviceId: one.device.id, isDraining: true });
      await makeRoom(seed.domain);
      expect(await isTold(young)).toBe(true);
    });
  });

  describe('leaves to the step that was told', () => {
    let device: SeededDevice;
    let victim: Claim;
    beforeEach(async () => {
      device = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
      victim = await occupy(device, 'Victim');
      await queue('Urgent');
      await makeRoom(seed.domain);
    });

    test('its lease until it lets go: what it completes is complete', async () => {
      expect(await isTold(victim)).toBe(true);
      seed.clock.advance(50_000);
      expect(await claimOn(device)).toEqual([]);
      expect(await complete(victim)).toMatchObject({ step: { status: 'SUCCEEDED' }, job: { status: 'SUCCEEDED' } });
      expect((await attemptsOf(victim.step.id))[0]?.outcome).toBe('SUCCEEDED');
      expect((await claimOn(device)).map(({ step }) => step.name)).toEqual(['Urgent']);
    });

    test('its attempts: one that is said to have failed then is neither failed nor the last', async () => {
      const failed = await failStep(seed.domain, admin, { leaseToken: victim.lease.token, exitCode: 143, description: 'Terminated.' });
      expect(failed).toMatchObject({ step: { status: 'QUEUED', failedCount: 0, maxAttempts: 1 }, job: { status: 'SUSPENDED' } });
      const [attempt] = await attemptsOf(victim.step.id);
      expect(attempt).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED', description: expect.stringMatching(/ Terminated\.$/) });
    });

    test('its attempts: one whose device is not heard of again is not counted as lost', async () => {
      seed.clock.advance(60_000);
      await sweep(seed.domain);
      const [step] = await seed.readSteps(victim.step.jobId);
      expect(step).toMatchObject({ status: 'QUEUED', lostCount: 0, preemptedForId: null });
      expect((await attemptsOf(victim.step.id))[0]).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED' });
      expect(await seed.readJob(victim.step.jobId)).toMatchObject({ status: 'SUSPENDED' });
    });

    test('to be cancelled', async () => {
      await cancelJob(seed.domain, admin, { jobId: victim.step.jobId, cancelTimeoutSeconds: 30 });
      expect(await renew(victim)).toMatchObject({ isCancelRequested: true });
      expect((await release(victim)).step.status).toBe('CANCELLED');
      expect(await seed.readJob(victim.step.jobId)).toMatchObject({ status: 'CANCELLED' });
      expect((await attemptsOf(victim.step.id))[0]?.outcome).toBe('CANCELLED');
    });

    test('when its job is SUSPENDED, to get more steps, and to be cancelled at once', async () => {
      await release(victim);
      const { job } = await addSteps(seed.domain, admin, { jobId: victim.step.jobId, steps: [{ name: 'More', maxAttempts: 1 }] });
      expect(job.status).toBe('SUSPENDED');
      expect((await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 30 })).job.status).toBe('CANCELLED');
      expect((await seed.readSteps(job.id)).map(({ status }) => status)).toEqual(['CANCELLED', 'SKIPPED']);
    });
  });

  test('lets the run timeout of a SUSPENDED job go on', async () => {
    const device = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
    const seeded = await seed.createJob(1, { isPreemptible: true, runTimeoutSeconds: 100 });
    const victim = await seed.claim(seeded, 0, device);
    await queue('Urgent');
    await makeRoom(seed.domain);
    await release(victim);
    seed.clock.advance(100_000);
    await sweep(seed.domain);
    expect(await seed.readJob(seeded.job.id)).toMatchObject({ status: 'FAILED', reason: 'RUN_TIMEOUT' });
  });

  test('happens between projects on a device of both, and tells neither of the other (P15)', async () => {
    const { project } = await createProject(seed.domain, admin, { name: 'Secret' });
    const { device } = await registerDevice(seed.domain, admin, {
      name: `shared by all ${project.id}`,
      slots: 1,
      labels: [{ key: 'for', value: project.id }],
    });
    const requiredLabels = [{ key: 'for', value: project.id }];
    const seeded = await seed.createJob([{ name: 'Victim', requiredLabels }], { name: 'Victim', isPreemptible: true });
    const victim = await claimStep(seed.domain, admin, { jobId: seeded.job.id, stepNumber: 0, deviceId: device.id, leaseSeconds: 60 });
    const { job } = await seed.createJob([{ name: 'Urgent', requiredLabels }], { name: 'Urgent', projectId: project.id });
    await makeRoom(seed.domain);
    await release(victim);
    await claimStep(seed.domain, admin, { jobId: job.id, stepNumber: 0, deviceId: device.id, leaseSeconds: 60 });
    expect((await attemptsOf(victim.step.id))[0]?.description).toBe('It made room for a step of another project.');
    expect((await seed.readEvents(job.id)).at(-1)?.description).toBe(`Claimed by ${device.name}, in place of a step of another project.`);
    await updateDevice(seed.domain, admin, { deviceId: device.id, isDraining: true });
  });

  test('comes right after the step is queued, without the clock moving', async () => {
    const errors: unknown[] = [];
    const stop = keepMakingRoom(seed.domain, (error) => errors.push(error));
    const device = await seed.registerDevice({ slots: 1, resources: { cpu: 1 } });
    const { job } = await seed.createJob([{ name: 'Victim', resources: { cpu: 1 } }], { isPreemptible: true });
    await new Promise(setImmediate);
    const [victim] = await claimOn(device);
    expect(victim?.step.jobId).toBe(job.id);
    // Its pause is over: what comes now is looked at at once.
    await eventually(() => expect(seed.clock.waiting).toBe(1), { timeout: 5_000 });
    seed.clock.advance(100);
    await seed.createJob([{ name: 'Urgent', resources: { cpu: 1 } }]);
    await eventually(async () => expect(await isTold(victim as Claim)).toBe(true), { timeout: 5_000 });
    await stop();
    expect(errors).toEqual([]);
  });
});
