/** Claiming: which step is claimed, by which claimant, and why one is not. */
import { expect, test } from 'vitest';
import { claimStep } from '../../../src/domain/claims/claims.ts';
import { releaseStep } from '../../../src/domain/claims/leases.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { updateJob } from '../../../src/domain/jobs/update.ts';
import { deleteDevice, registerDevice, updateDevice } from '../../../src/domain/steps/devices.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';
import { whyNot } from '../../support/why-not.ts';

describeOnGround('A claim', (on) => {
  test('takes the step of the highest priority first, then the oldest, across queues of different demands', async () => {
    const { seed, claimNext } = on();
    const names = ['old', 'new', 'urgent', 'urgent and later'];
    for (const [i, name] of names.entries()) {
      await seed.createJob([{ name, resources: { cpu: 1 + i } }], { priority: i < 2 ? 0 : 5 });
      seed.clock.advance(1_000);
    }
    const { principal } = await seed.registerDevice({ resources: { cpu: 100 } });
    const claims = await claimNext(principal, { limit: 3 });
    expect(claims.map(({ step }) => step.name)).toEqual(['urgent', 'urgent and later', 'old']);
    expect((await claimNext(principal)).map(({ step }) => step.name)).toEqual(['new']);
  });

  test('follows a priority that was changed after the job was created', async () => {
    const { seed, claimNext } = on();
    const { job: first } = await seed.createJob([{ name: 'first' }]);
    seed.clock.advance(1_000);
    const { job: second } = await seed.createJob([{ name: 'second' }]);
    await updateJob(seed.domain, admin, { jobId: second.id, priority: 1 });
    expect((await claimNext(admin, { limit: 2 })).map(({ step }) => step.jobId)).toEqual([second.id, first.id]);
  });

  test('of a step that was queued again counts its age from when it was first queued', async () => {
    const { seed, claimNext } = on();
    await seed.createJob([{ name: 'old' }]);
    seed.clock.advance(1_000);
    await seed.createJob([{ name: 'young' }]);
    const [claim] = await claimNext(admin);
    await releaseStep(seed.domain, admin, { leaseToken: claim?.lease.token ?? '' });
    seed.clock.advance(1_000);
    expect((await claimNext(admin)).map(({ step }) => step.name)).toEqual(['old']);
  });

  test('of one job takes steps in the order of their numbers, each when the one before it has succeeded', async () => {
    const { seed, claimNext } = on();
    await seed.createJob(3);
    const numbers: number[] = [];
    for (let [claim, ...rest] = await claimNext(admin, { limit: 10 }); claim; [claim, ...rest] = await claimNext(admin, { limit: 10 })) {
      expect(rest).toEqual([]);
      numbers.push(claim.step.number);
      await completeStep(seed.domain, admin, { leaseToken: claim.lease.token });
    }
    expect(numbers).toEqual([0, 1, 2]);
  });

  test.each([
    { what: 'memory', step: { resources: { memoryMb: 9 } }, device: { resources: { memoryMb: 8 } }, requirement: 'memoryMb' },
    { what: 'cores', step: { resources: { cpu: 1.5 } }, device: { resources: { cpu: 1.25 } }, requirement: 'cpu' },
    { what: 'GPUs where there are none', step: { resources: { gpu: 1 } }, device: {}, requirement: 'gpu' },
    {
      what: 'a model of GPU',
      step: { resources: { gpuModel: 'H200' } },
      device: { resources: { gpu: 1, gpuModel: 'T4' } },
      requirement: 'gpuModel',
    },
    { what: 'shared memory', step: { resources: { shm: true } }, device: {}, requirement: 'shm' },
    { what: 'a label', step: { requiredLabels: [{ key: 'zone', value: 'eu' }] }, device: {}, requirement: 'label' },
    {
      what: 'another value of a label',
      step: { requiredLabels: [{ key: 'zone', value: 'eu' }] },
      device: { labels: [{ key: 'zone', value: 'us' }] },
      requirement: 'label',
    },
    {
      what: 'more than a container of it offers',
      step: { container: { command: 'x', resources: { cpu: 2 } } },
      device: { resources: { cpu: 1 } },
      requirement: 'cpu',
    },
  ])('leaves a step that needs $what, and whyNot says so', async ({ step: demand, device: offer, requirement }) => {
    const { seed, claimNext } = on();
    const { job, steps } = await seed.createJob([{ name: 'Demanding', ...demand }]);
    const { device, principal } = await seed.registerDevice(offer);
    expect(await claimNext(principal)).toEqual([]);
    const [step] = steps;
    if (!step) throw new Error('The job has a step.');
    const reasons = await whyNot(seed.domain, admin, step, null);
    expect(reasons).toEqual([{ device: expect.objectContaining({ id: device.id }), requirement, explanation: expect.any(String) }]);
    expect(await refusalOf(seed.claim(job, 0, { device, principal, apiKey: '' }))).toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: ['deviceId'], message: reasons[0]?.explanation }],
    });
    expect((await seed.readSteps(job.id))[0]?.status).toBe('QUEUED');
  });

  test('counts what its device runs already, and takes the capacity when it is free again', async () => {
    const { seed, claimNext } = on();
    const need = [{ name: 'Half and more', resources: { cpu: 3 } }];
    await seed.createJob(need);
    const { steps } = await seed.createJob(need);
    const { device, principal } = await seed.registerDevice({ resources: { cpu: 4 } });
    const [first, ...none] = await claimNext(principal, { limit: 2 });
    expect(none).toEqual([]);
    const [step] = steps;
    if (!first || !step) throw new Error('There is a claim, and a step.');
    expect(await whyNot(seed.domain, admin, step, device.id)).toMatchObject([
      { requirement: 'cpu', explanation: 'It needs 3 cores; the device has 4, and 3 of them are in use.' },
    ]);
    await completeStep(seed.domain, principal, { leaseToken: first.lease.token });
    expect(await whyNot(seed.domain, admin, step, device.id)).toEqual([]);
    expect(await claimNext(principal, { limit: 2 })).toHaveLength(1);
  });

  test('takes no more steps than its device has slots, and whyNot says that they are taken', async () => {
    const { seed, claimNext } = on();
    await seed.createJob();
    await seed.createJob();
    const { job, steps } = await seed.createJob();
    const { device, principal } = await seed.registerDevice({ slots: 2 });
    expect(await claimNext(principal, { limit: 100 })).toHaveLength(2);
    expect(await claimNext(principal)).toEqual([]);
    const [left] = steps;
    if (!left) throw new Error('The job has a step.');
    expect(await whyNot(seed.domain, admin, left, null)).toMatchObject([{ requirement: 'slots', device: { id: device.id } }]);
    expect(await refusalOf(seed.claim(job, 0, { device, principal, apiKey: '' }))).toMatchObject({
      issues: [{ path: ['deviceId'], message: 'All 2 slots of the device are taken.' }],
    });
  });

  test('of a pinned step is allowed to its device only, not to another device or a person', async () => {
    const { seed, claimNext } = on();
    const pinned = await seed.registerDevice();
    const other = await seed.registerDevice();
    const { job, steps } = await seed.createJob([{ name: 'Pinned', pinnedDeviceId: pinned.device.id }]);
    expect(await claimNext(other.principal)).toEqual([]);
    expect(await claimNext(admin)).toEqual([]);
    expect(await refusalOf(seed.claim(job))).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['deviceId'] }] });
    const [step] = steps;
    if (!step) throw new Error('The job has a step.');
    expect(await whyNot(seed.domain, admin, step, other.device.id)).toMatchObject([{ requirement: 'pinnedDevice' }]);
    expect(await whyNot(seed.domain, admin, step, pinned.device.id)).toEqual([]);
    expect((await claimNext(pinned.principal)).map(({ step }) => step.leaseDeviceId)).toEqual([pinned.device.id]);
  });

  test('by a device of one project takes no steps of another', async () => {
    const { seed, claimNext } = on();
    const { project } = await createProject(seed.domain, admin, { name: 'Other' });
    const { job } = await seed.createJob(1, { projectId: project.id });
    const { principal } = await seed.registerDevice();
    expect(await claimNext(principal, { projectId: project.id })).toEqual([]);
    expect(await claimNext(principal, { projectId: null })).toEqual([]);
    expect(await refusalOf(claimStep(seed.domain, principal, { jobId: job.id, stepNumber: 0, leaseSeconds: 60 }))).toMatchObject({
      code: 'NOT_FOUND',
      id: job.id,
    });
  });

  test('by a device of no project takes steps of all projects', async () => {
    const { seed, claimNext } = on();
    const { job } = await seed.createJob();
    const { device } = await registerDevice(seed.domain, admin, { name: `of all ${seed.project.id}` });
    const [claim] = await claimNext(admin, { deviceId: device.id });
    expect(claim?.step.jobId).toBe(job.id);
    await completeStep(seed.domain, admin, { leaseToken: claim?.lease.token ?? '' });
    await deleteDevice(seed.domain, admin, { deviceId: device.id });
  });

  test('is refused to a device while it drains', async () => {
    const { seed, claimNext } = on();
    const { job, steps } = await seed.createJob();
    const one = await seed.registerDevice();
    await updateDevice(seed.domain, admin, { deviceId: one.device.id, isDraining: true });
    expect(await claimNext(one.principal)).toEqual([]);
    expect(await refusalOf(seed.claim(job, 0, one))).toMatchObject({
      issues: [{ path: ['deviceId'], message: 'The device is draining, so it may not claim steps. Set its isDraining to false first.' }],
    });
    const [step] = steps;
    if (!step) throw new Error('The job has a step.');
    expect(await whyNot(seed.domain, admin, step, null)).toMatchObject([{ requirement: 'draining' }]);
    await updateDevice(seed.domain, admin, { deviceId: one.device.id, isDraining: false });
    expect(await claimNext(one.principal)).toHaveLength(1);
  });

  test('does not come from an offline device, nor for a blocked step: whyNot explains both', async () => {
    const { seed } = on();
    const { job, steps } = await seed.createJob(2);
    const [first, second] = steps;
    if (!first || !second) throw new Error('The job has two steps.');
    expect(await whyNot(seed.domain, admin, first, null)).toMatchObject([{ device: null, requirement: 'device' }]);
    await seed.registerDevice();
    seed.clock.advance(61_000);
    expect(await whyNot(seed.domain, admin, first, null)).toMatchObject([{ requirement: 'online' }]);
    expect(await whyNot(seed.domain, admin, second, null)).toMatchObject([{ device: null, requirement: 'earlierStep' }]);
    const { step } = await seed.claim(job);
    expect(await whyNot(seed.domain, admin, step, null)).toEqual([]);
  });

  test('returns the lease with its expiry, and the step as it is now', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const one = await seed.registerDevice();
    const { step, lease } = await seed.claim(job, 0, one, 90);
    expect(lease).toEqual({
      token: expect.stringMatching(/^lease_/),
      attempt: 1,
      expiresAt: new Date(seed.clock.now().getTime() + 90_000),
    });
    expect(await seed.readSteps(job.id)).toEqual([step]);
    expect(step).toMatchObject({ status: 'RUNNING', attemptCount: 1, leaseDeviceId: one.device.id, startedAt: seed.clock.now() });
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'RUNNING', reason: 'CLAIMED', deviceId: one.device.id });
    // Only its hash is kept.
    expect(JSON.stringify(await on().readAll())).not.toContain(lease.token);
  });

  test('by step number is refused if the step does not exist, is not queued, or the claimant does not fit', async () => {
    const { seed, readAll } = on();
    const { job } = await seed.createJob(2);
    const viewer = { ...admin, role: 'VIEWER' as const };
    const claim = (jobId: string, stepNumber: number, leaseSeconds = 60, principal = admin, deviceId: string | null = null) =>
      refusalOf(claimStep(seed.domain, principal, { jobId, stepNumber, leaseSeconds, deviceId }));
    const before = await readAll();
    expect(await claim('job_00000000000000000000000000', 0)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await claim(job.id, 2)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await claim(job.id, -1)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await claim(job.id, 1)).toMatchObject({ code: 'INVALID_STATE', status: 'BLOCKED', allowed: ['QUEUED'] });
    expect(await claim(job.id, 0, 0.5)).toMatchObject({ issues: [{ path: ['leaseSeconds'] }] });
    expect(await claim(job.id, 0, 3_601)).toMatchObject({ issues: [{ path: ['leaseSeconds'] }] });
    expect(await claim(job.id, 0, 60, admin, 'dev_00000000000000000000000000')).toMatchObject({ code: 'NOT_FOUND' });
    expect(await claim(job.id, 0, 60, viewer)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await readAll()).toEqual(before);
    await seed.claim(job);
    expect(await claim(job.id, 0)).toMatchObject({ code: 'INVALID_STATE', status: 'RUNNING' });
  });

  test('that exceeds a limit names the field', async () => {
    const { claimNext } = on();
    expect(await refusalOf(claimNext(admin, { limit: 0, leaseSeconds: Number.NaN, waitSeconds: 51 }))).toMatchObject({
      issues: [{ path: ['leaseSeconds'] }, { path: ['waitSeconds'] }, { path: ['limit'] }],
    });
    expect(await refusalOf(claimNext(admin, { limit: 101 }))).toMatchObject({ issues: [{ path: ['limit'] }] });
  });

  test('for another device is refused to a DEVICE key', async () => {
    const { seed, claimNext } = on();
    await seed.createJob();
    const [mine, other] = [await seed.registerDevice(), await seed.registerDevice()];
    expect(await refusalOf(claimNext(mine.principal, { deviceId: other.device.id }))).toMatchObject({ code: 'NOT_FOUND' });
  });
});
