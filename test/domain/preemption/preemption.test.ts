/** Preemption from the eviction to the end. The choice of steps: candidates.test.ts. */
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
import { type Setup, setupOn } from './setup.ts';

describeOnGround('Preemption', (on) => {
  let setup: Setup;
  let seed: Seed;
  beforeEach(() => {
    setup = setupOn(on());
    seed = setup.seed;
  });

  test('evicts a preemptible step for one that has nowhere to run, and runs it again later (n8)', async () => {
    const device = await seed.registerDevice({ slots: 1, resources: { cpu: 4 } });
    const eviction = await setup.occupy(device, 'Patient');
    expect(await setup.isTold(eviction)).toBe(false);
    const urgent = await setup.queue('Urgent');
    expect(await setup.claimOn(device)).toEqual([]);
    await preempt(seed.domain);

    // The device learns of it with its next request.
    expect(await setup.isTold(eviction)).toBe(true);
    expect(await reportProgress(seed.domain, admin, { leaseToken: eviction.lease.token })).toMatchObject({ isPreempted: true });
    expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'RUNNING' });

    const { step } = await setup.release(eviction, 'Given back.');
    expect(step).toMatchObject({ status: 'QUEUED', failedCount: 0, lostCount: 0, queuedAt: seed.clock.now() });
    expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'SUSPENDED', reason: 'PREEMPTED' });
    const [attempt] = await setup.attemptsOf(eviction.step.id);
    const said = `Evicted for step 0 of Urgent (${urgent.id}). Given back.`;
    expect(attempt).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED', description: said });

    const [taken, ...others] = await setup.claimOn(device, 5);
    expect([taken?.step.jobId, others]).toEqual([urgent.id, []]);
    await setup.complete(taken as Claim); // it is there: see the line above
    const [again] = await setup.claimOn(device);
    expect(again).toMatchObject({ step: { jobId: eviction.step.jobId, status: 'RUNNING' }, lease: { attempt: 2 } });
    expect(await setup.isTold(again as Claim)).toBe(false);
    await setup.complete(again as Claim);

    const { name } = device.device;
    expect(await setup.changesOf(urgent.id, 'STEP_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}, in place of step 0 of Patient (${eviction.step.jobId}).`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
    expect(await setup.changesOf(eviction.step.jobId, 'STEP_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'QUEUED', 'PREEMPTED', said],
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
    expect(await setup.changesOf(eviction.step.jobId, 'JOB_STATUS_CHANGED')).toEqual([
      ['QUEUED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUSPENDED', 'PREEMPTED', said],
      ['SUSPENDED', 'RUNNING', 'CLAIMED', `Claimed by ${name}.`],
      ['RUNNING', 'SUCCEEDED', 'COMPLETED', ''],
    ]);
  });

  describe('leaves to the evicted step', () => {
    let device: SeededDevice;
    let eviction: Claim;
    beforeEach(async () => {
      device = await setup.smallDevice();
      eviction = await setup.occupy(device, 'Evicted');
      await setup.queue('Urgent');
      await preempt(seed.domain);
    });

    test('its lease until it is given back: if it completes, it is complete', async () => {
      expect(await setup.isTold(eviction)).toBe(true);
      seed.clock.advance(50_000);
      expect(await setup.claimOn(device)).toEqual([]);
      expect(await setup.complete(eviction)).toMatchObject({ step: { status: 'SUCCEEDED' }, job: { status: 'SUCCEEDED' } });
      expect((await setup.attemptsOf(eviction.step.id))[0]?.outcome).toBe('SUCCEEDED');
      expect((await setup.claimOn(device)).map(({ step }) => step.name)).toEqual(['Urgent']);
    });

    test('its attempts: a failure reported after the eviction does not count', async () => {
      const failed = await failStep(seed.domain, admin, { leaseToken: eviction.lease.token, exitCode: 143, description: 'Terminated.' });
      expect(failed).toMatchObject({ step: { status: 'QUEUED', failedCount: 0, maxAttempts: 1 }, job: { status: 'SUSPENDED' } });
      const [attempt] = await setup.attemptsOf(eviction.step.id);
      expect(attempt).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED', description: expect.stringMatching(/ Terminated\.$/) });
    });

    test('its attempts: a device that disappears after the eviction does not count as lost', async () => {
      seed.clock.advance(60_000);
      await sweep(seed.domain);
      const [step] = await seed.readSteps(eviction.step.jobId);
      expect(step).toMatchObject({ status: 'QUEUED', lostCount: 0, preemptedForId: null });
      expect((await setup.attemptsOf(eviction.step.id))[0]).toMatchObject({ outcome: 'PREEMPTED', reason: 'PREEMPTED' });
      expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'SUSPENDED' });
    });

    test('the possibility to be cancelled', async () => {
      await cancelJob(seed.domain, admin, { jobId: eviction.step.jobId, cancelTimeoutSeconds: 30 });
      expect(await setup.renew(eviction)).toMatchObject({ isCancelRequested: true });
      expect((await setup.release(eviction)).step.status).toBe('CANCELLED');
      expect(await seed.readJob(eviction.step.jobId)).toMatchObject({ status: 'CANCELLED' });
      expect((await setup.attemptsOf(eviction.step.id))[0]?.outcome).toBe('CANCELLED');
    });

    test('the possibility to get more steps and to be cancelled at once, when its job is SUSPENDED', async () => {
      await setup.release(eviction);
      const { job } = await addSteps(seed.domain, admin, { jobId: eviction.step.jobId, steps: [{ name: 'More', maxAttempts: 1 }] });
      expect(job.status).toBe('SUSPENDED');
      expect((await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 30 })).job.status).toBe('CANCELLED');
      expect((await seed.readSteps(job.id)).map(({ status }) => status)).toEqual(['CANCELLED', 'SKIPPED']);
    });
  });

  test('does not stop the run timeout of a SUSPENDED job', async () => {
    const device = await setup.smallDevice();
    const seeded = await seed.createJob(1, { isPreemptible: true, runTimeoutSeconds: 100 });
    const eviction = await seed.claim(seeded, 0, device);
    await setup.queue('Urgent');
    await preempt(seed.domain);
    await setup.release(eviction);
    seed.clock.advance(100_000);
    await sweep(seed.domain);
    expect(await seed.readJob(seeded.job.id)).toMatchObject({ status: 'FAILED', reason: 'RUN_TIMEOUT' });
  });

  test('happens between projects on a shared device, and reveals neither to the other (P15)', async () => {
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
    await setup.release(eviction);
    await claimStep(seed.domain, admin, { jobId: job.id, stepNumber: 0, deviceId: device.id, leaseSeconds: 60 });
    expect((await setup.attemptsOf(eviction.step.id))[0]?.description).toBe('Evicted for a step of another project.');
    expect((await seed.readEvents(job.id)).at(-1)?.description).toBe(`Claimed by ${device.name}, in place of a step of another project.`);
    await updateDevice(seed.domain, admin, { deviceId: device.id, isDraining: true });
  });

  test('starts right after the step is queued, without the clock moving', async () => {
    const errors: unknown[] = [];
    const stop = startPreemption(seed.domain, (error) => errors.push(error));
    const device = await setup.smallDevice();
    const { job } = await seed.createJob([{ name: 'Evicted', resources: { cpu: 1 } }], { isPreemptible: true });
    await new Promise(setImmediate);
    const [eviction] = await setup.claimOn(device);
    expect(eviction?.step.jobId).toBe(job.id);
    // The pause after a pass is over: the next step starts a pass at once.
    await eventually(() => expect(seed.clock.waiting).toBe(1), { timeout: 5_000 });
    seed.clock.advance(100);
    await seed.createJob([{ name: 'Urgent', resources: { cpu: 1 } }]);
    await eventually(async () => expect(await setup.isTold(eviction as Claim)).toBe(true), { timeout: 5_000 });
    await stop();
    expect(errors).toEqual([]);
  });
});
