/** Preemption: how it goes, and what is left of it. Who makes room for whom: evictions.test.ts. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Claim, claimStep } from '../../../src/domain/claims/claims.ts';
import { failStep } from '../../../src/domain/claims/outcomes.ts';
import { reportProgress } from '../../../src/domain/claims/progress.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { addSteps } from '../../../src/domain/jobs/update.ts';
import { preempt, startPreemption } from '../../../src/domain/preemption/preemption.ts';
import { registerDevice, updateDevice } from '../../../src/domain/steps/devices.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { eventually } from '../../agent/eventually.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin, type Seed, type SeededDevice } from '../../support/seed.ts';
import { type Room, roomOn } from '../room.ts';

describeOnGround('Preemption', (on) => {
  let room: Room;
  let seed: Seed;
  beforeEach(() => {
    room = roomOn(on());
    seed = room.seed;
  });

  test('gives the place of a preemptible step to one that has nowhere to run, and brings it back later (n8)', async () => {
    const device = await seed.registerDevice({ slots: 1, resources: { cpu: 4 } });
    const eviction = await room.occupy(device, 'Patient');
    expect(await room.isTold(eviction)).toBe(false);
    const urgent = await room.queue('Urgent');
    expect(await room.claimOn(device)).toEqual([]);
    await preempt(seed.domain);

    // The device is told by whatever it sends next.
    expect(await room.isTold(eviction)).toBe(true);
    expect(await reportProgress(seed.domain, admin, { leaseToken: eviction.lease.token })).toMatchObject({ isPreempted: true });
    expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'RUNNING' });

    const { step } = await room.release(eviction, 'Given back.');
    expect(step).toMatchObject({ status: 'QUEUED', failedCount: 0, lostCount: 0, queuedAt: seed.clock.now() });
    expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'SUSPENDED', reason: 'PREEMPTED' });
    const [attempt] = await room.attemptsOf(eviction.step.id);
    const said = `Evicted for step 0 of Urgent (${urgent.id}). Given back.`;
    expect(attempt).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED', description: said });

    const [taken, ...others] = await room.claimOn(device, 5);
    expect([taken?.step.jobId, others]).toEqual([urgent.id, []]);
    await room.complete(taken as Claim); // it is there: see the line above
    const [again] = await room.claimOn(device);
    expect(again).toMatchObject({ step: { jobId: eviction.step.jobId, status: 'RUNNING' }, lease: { attempt: 2 } });
    expect(await room.isTold(again as Claim)).toBe(false);
    await room.complete(again as Claim);

    const { name } = device.device;
    expect(await room.changesOf(urgent.id, 'STEP_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}, in place of step 0 of Patient (${eviction.step.jobId}).`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
    expect(await room.changesOf(eviction.step.jobId, 'STEP_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'QUEUED', 'PREEMPTED', said],
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
    expect(await room.changesOf(eviction.step.jobId, 'JOB_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUSPENDED', 'PREEMPTED', said],
      ['SUSPENDED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
  });

  describe('leaves to the step that was told', () => {
    let device: SeededDevice;
    let eviction: Claim;
    beforeEach(async () => {
      device = await room.smallDevice();
      eviction = await room.occupy(device, 'Evicted');
      await room.queue('Urgent');
      await preempt(seed.domain);
    });

    test('its lease until it lets go: what it completes is complete', async () => {
      expect(await room.isTold(eviction)).toBe(true);
      seed.clock.advance(50_000);
      expect(await room.claimOn(device)).toEqual([]);
      expect(await room.complete(eviction)).toMatchObject({ step: { status: 'SUCCEEDED' }, job: { status: 'SUCCEEDED' } });
      expect((await room.attemptsOf(eviction.step.id))[0]?.outcome).toBe('SUCCEEDED');
      expect((await room.claimOn(device)).map(({ step }) => step.name)).toEqual(['Urgent']);
    });

    test('its attempts: one that is said to have failed then is neither failed nor the last', async () => {
      const failed = await failStep(seed.domain, admin, { leaseToken: eviction.lease.token, exitCode: 143, description: 'Terminated.' });
      expect(failed).toMatchObject({ step: { status: 'QUEUED', failedCount: 0, maxAttempts: 1 }, job: { status: 'SUSPENDED' } });
      const [attempt] = await room.attemptsOf(eviction.step.id);
      expect(attempt).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED', description: expect.stringMatching(/ Terminated\.$/) });
    });

    test('its attempts: one whose device is not heard of again is not counted as lost', async () => {
      seed.clock.advance(60_000);
      await sweep(seed.domain);
      const [step] = await seed.readSteps(eviction.step.jobId);
      expect(step).toMatchObject({ status: 'QUEUED', lostCount: 0, preemptedForId: null });
      expect((await room.attemptsOf(eviction.step.id))[0]).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED' });
      expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'SUSPENDED' });
    });

    test('to be cancelled', async () => {
      await cancelJob(seed.domain, admin, { jobId: eviction.step.jobId, cancelTimeoutSeconds: 30 });
      expect(await room.renew(eviction)).toMatchObject({ isCancelRequested: true });
      expect((await room.release(eviction)).step.status).toBe('CANCELLED');
      expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'CANCELLED' });
      expect((await room.attemptsOf(eviction.step.id))[0]?.outcome).toBe('CANCELLED');
    });

    test('when its job is SUSPENDED, to get more steps, and to be cancelled at once', async () => {
      await room.release(eviction);
      const { job } = await addSteps(seed.domain, admin, { jobId: eviction.step.jobId, steps: [{ name: 'More', maxAttempts: 1 }] });
      expect(job.status).toBe('SUSPENDED');
      expect((await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 30 })).job.status).toBe('CANCELLED');
      expect((await seed.readSteps(job.id)).map(({ status }) => status)).toEqual(['CANCELLED', 'SKIPPED']);
    });
  });

  test('lets the run timeout of a SUSPENDED job go on', async () => {
    const device = await room.smallDevice();
    const seeded = await seed.createJob(1, { isPreemptible: true, runTimeoutSeconds: 100 });
    const eviction = await seed.claim(seeded, 0, device);
    await room.queue('Urgent');
    await preempt(seed.domain);
    await room.release(eviction);
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
    const seeded = await seed.createJob([{ name: 'Evicted', requiredLabels }], { name: 'Evicted', isPreemptible: true });
    const eviction = await claimStep(seed.domain, admin, { jobId: seeded.job.id, stepNumber: 0, deviceId: device.id, leaseSeconds: 60 });
    const { job } = await seed.createJob([{ name: 'Urgent', requiredLabels }], { name: 'Urgent', projectId: project.id });
    await preempt(seed.domain);
    await room.release(eviction);
    await claimStep(seed.domain, admin, { jobId: job.id, stepNumber: 0, deviceId: device.id, leaseSeconds: 60 });
    expect((await room.attemptsOf(eviction.step.id))[0]?.description).toBe('Evicted for a step of another project.');
    expect((await seed.readEvents(job.id)).at(-1)?.description).toBe(`Claimed by ${device.name}, in place of a step of another project.`);
    await updateDevice(seed.domain, admin, { deviceId: device.id, isDraining: true });
  });

  test('comes right after the step is queued, without the clock moving', async () => {
    const errors: unknown[] = [];
    const stop = startPreemption(seed.domain, (error) => errors.push(error));
    const device = await room.smallDevice();
    const { job } = await seed.createJob([{ name: 'Evicted', resources: { cpu: 1 } }], { isPreemptible: true });
    await new Promise(setImmediate);
    const [eviction] = await room.claimOn(device);
    expect(eviction?.step.jobId).toBe(job.id);
    // Its pause is over: what comes now is looked at at once.
    await eventually(() => expect(seed.clock.waiting).toBe(1), { timeout: 5_000 });
    seed.clock.advance(100);
    await seed.createJob([{ name: 'Urgent', resources: { cpu: 1 } }]);
    await eventually(async () => expect(await room.isTold(eviction as Claim)).toBe(true), { timeout: 5_000 });
    await stop();
    expect(errors).toEqual([]);
  });
});
