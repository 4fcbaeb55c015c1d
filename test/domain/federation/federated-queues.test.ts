/**
 * Federated jobs in experiments, and preempted ones: which models they pass on, and how they end.
 */
import { expect, test } from 'vitest';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { createFragment, finishUpload } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createExperiment } from '../../../src/domain/jobs/experiments.ts';
import { preempt } from '../../../src/domain/preemption/preemption.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin, type Seed } from '../../support/seed.ts';
import { nth, raiseFleet, see, smallModel } from '../fleet.ts';

async function makeQueue({ domain, project }: Seed) {
  const announced = { projectId: project.id, filename: 'start.safetensors', type: 'MODEL' } as const;
  const { fragment } = await createFragment(domain, admin, announced);
  const { file, keep } = await domain.files.receive(fragment.id, [smallModel], smallModel.length);
  await keep();
  await finishUpload(domain, fragment.id, file);
  const input = { projectId: project.id, name: 'Queue', startModelFragmentId: fragment.id };
  const { experiment } = await createExperiment(domain, admin, input);
  return { experimentId: experiment.id, startId: fragment.id };
}

describeOnGround('A federated job', (on) => {
  test('of an experiment passes its last aggregate on, to rounds as well (v7)', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { experimentId, startId } = await makeQueue(seed);
    const { job: first } = await fleet.createJob({ numDevices: 2 }, { experimentId });
    const { job: second } = await fleet.createJob({ numDevices: 2 }, { experimentId });
    expect((await fleet.readRounds(first.id)).map(({ startModelId }) => startModelId)).toEqual([startId]);
    expect([await fleet.readRounds(second.id), (await seed.readJob(second.id)).status]).toEqual([[], 'BLOCKED']);
    await fleet.train(first.id, 2);
    const { fragment } = await fleet.aggregate(first.id);
    expect(await seed.readJob(first.id)).toMatchObject({ status: 'SUCCEEDED', resultModelId: fragment.id });
    expect(await seed.readJob(second.id)).toMatchObject({ status: 'QUEUED', startModelId: fragment.id });
    expect((await fleet.readRounds(second.id)).map(({ startModelId }) => startModelId)).toEqual([fragment.id]);
  });

  test('that is cancelled after some rounds passes none of their models on', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { experimentId, startId } = await makeQueue(seed);
    const federation = { numDevices: 1, terminationCriteria: [{ maxRounds: 5 }] };
    const { job: first } = await fleet.createJob(federation, { experimentId });
    const { job: second } = await seed.createJob(1, { experimentId });
    await fleet.train(first.id, 1);
    await fleet.aggregate(first.id);
    await cancelJob(seed.domain, admin, { jobId: first.id, cancelTimeoutSeconds: 0 });
    expect(await seed.readJob(first.id)).toMatchObject({ status: 'CANCELLED', modelVersionId: null });
    expect(await seed.readJob(second.id)).toMatchObject({ status: 'QUEUED', startModelId: startId });
  });

  test('whose maximum duration ends before its first aggregate has no model, whatever its devices submitted', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { experimentId, startId } = await makeQueue(seed);
    const federation = { numDevices: 2, terminationCriteria: [{ maxDurationSeconds: 100 }] };
    const { job: first } = await fleet.createJob(federation, { experimentId });
    const { job: second } = await seed.createJob(1, { experimentId });
    await fleet.train(first.id, 1);
    seed.clock.advance(100_000);
    await see(seed, fleet.devices);
    await sweep(seed.domain);
    expect(await seed.readJob(first.id)).toMatchObject({ status: 'SUCCEEDED', resultModelId: null, modelVersionId: null });
    expect(await seed.readJob(second.id)).toMatchObject({ status: 'QUEUED', startModelId: startId });
  });

  test('fails if too few devices are online when its turn comes, and the next one has its turn', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { experimentId } = await makeQueue(seed);
    const { job: first } = await seed.createJob(1, { experimentId });
    const { job: second } = await fleet.createJob({ numDevices: 2 }, { experimentId });
    const { job: third } = await seed.createJob(1, { experimentId });
    seed.clock.advance(100_000);
    await cancelJob(seed.domain, admin, { jobId: first.id, cancelTimeoutSeconds: 0 });
    expect(await seed.readJob(second.id)).toMatchObject({ status: 'FAILED', reason: 'QUORUM_UNREACHABLE' });
    expect(await seed.readJob(third.id)).toMatchObject({ status: 'QUEUED' });
  });

  test('gives a device up to a more urgent step, and can reach its maximum duration while it is SUSPENDED (n8)', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const device = nth(fleet.devices, 0);
    const federation = { numDevices: 1, terminationCriteria: [{ maxDurationSeconds: 100 }] };
    const { job } = await fleet.createJob(federation, { isPreemptible: true });
    const claim = await fleet.claim(job.id, device);
    // The other slots of the device.
    const pinned = [{ name: 'Run', pinnedDeviceId: device.device.id }];
    for (let i = 0; i < 99; i++) await seed.claim(await seed.createJob(pinned), 0, device);
    const { job: urgent } = await seed.createJob(pinned);
    await preempt(seed.domain);
    const leaseToken = claim.lease.token;
    expect(await renewLease(seed.domain, device.principal, { leaseToken, leaseSeconds: 60 })).toMatchObject({ isPreempted: true });
    await releaseStep(seed.domain, device.principal, { leaseToken });
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'SUSPENDED' });
    expect((await fleet.readParticipants(job.id)).map(({ status }) => status)).toEqual(['INVITED']);
    expect((await on().claimNext(device.principal)).map(({ step }) => step.jobId)).toEqual([urgent.id]);
    seed.clock.advance(100_000);
    await see(seed, fleet.devices);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'SUCCEEDED', reason: 'TERMINATION_CRITERION' });
  });
});
