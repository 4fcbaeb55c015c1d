/** Rounds: models are submitted, the quorum is reached, devices fail, are late or are lost. */
import { expect, test } from 'vitest';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import type { EventType } from '../../../src/domain/core/vocabulary.ts';
import { deleteFragment } from '../../../src/domain/files/fragments.ts';
import { deleteDevice, updateDevice } from '../../../src/domain/steps/devices.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { jobStream } from '../../../src/realtime/streams.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';
import { nth, raiseFleet, see, statusesOf } from '../fleet.ts';

describeOnGround('A round', (on) => {
  test('has its models at the quorum: devices that train are told to stop, and unclaimed steps are skipped', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 5);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 3 });
    const [first, second, third, fourth] = await fleet.selected(job.id);
    if (!first || !second || !third || !fourth) throw new Error('Five were selected.');
    const slow = await fleet.claim(job.id, third);
    const released = await fleet.claim(job.id, fourth);
    await releaseStep(seed.domain, fourth.principal, { leaseToken: released.lease.token });
    await fleet.handIn(await fleet.claim(job.id, first), first);
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['TRAINING']);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['SUBMITTED', 'INVITED', 'TRAINING', 'INVITED', 'INVITED']);
    await fleet.handIn(await fleet.claim(job.id, second), second);

    expect(await fleet.readRounds(job.id)).toMatchObject([{ status: 'AGGREGATING', quorum: 2, finishedAt: null }]);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['SUBMITTED', 'SUBMITTED', 'TRAINING', 'DROPPED', 'DROPPED']);
    const steps = await seed.readSteps(job.id);
    expect(statusesOf(steps)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'CANCELLING', 'CANCELLED', 'SKIPPED', 'QUEUED']);
    expect(nth(steps, 5)).toMatchObject({ part: 'AGGREGATE', round: 1, maxAttempts: 3 });
    expect(await renewLease(seed.domain, third.principal, { leaseToken: slow.lease.token, leaseSeconds: 60 })).toMatchObject({
      isCancelRequested: true,
      cancelReason: null,
    });
    const ends = (await seed.readEvents(job.id)).filter(({ reason }) => reason === 'QUORUM_REACHED');
    expect(ends.map(({ to }) => to)).toEqual(['CANCELLING', 'CANCELLED', 'SKIPPED']);
  });

  test('succeeds with its aggregate, and the job with it; steps that were not needed are cancelled', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1 });
    const slow = nth(await fleet.selected(job.id), 2);
    const { lease } = await fleet.claim(job.id, slow);
    await fleet.train(job.id, 2);
    seed.clock.advance(1_000);
    const { job: ended, fragment } = await fleet.aggregate(job.id);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', reason: 'COMPLETED', resultModelId: fragment.id, finishedAt: seed.clock.now() });
    expect(await fleet.readRounds(job.id)).toMatchObject([
      { status: 'SUCCEEDED', aggregateModelId: fragment.id, isWeighted: false, finishedAt: seed.clock.now() },
    ]);
    expect((await fleet.readFederation(job.id))?.aggregateModelId).toBe(fragment.id);
    expect(await fleet.readRoundEvents(job.id)).toEqual(['1 null → TRAINING', '1 TRAINING → AGGREGATING', '1 AGGREGATING → SUCCEEDED']);
    expect((await seed.readEvents(job.id)).at(-1)).toMatchObject({ type: 'JOB_STATUS_CHANGED', to: 'SUCCEEDED' });
    expect(statusesOf(await seed.readSteps(job.id))).toEqual(['SUCCEEDED', 'SUCCEEDED', 'CANCELLING', 'SUCCEEDED']);
    await releaseStep(seed.domain, slow.principal, { leaseToken: lease.token });
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['SUBMITTED', 'SUBMITTED', 'DROPPED']);
    expect(statusesOf(await seed.readSteps(job.id))).toEqual(['SUCCEEDED', 'SUCCEEDED', 'CANCELLED', 'SUCCEEDED']);
    expect(await refusalOf(completeStep(seed.domain, slow.principal, { leaseToken: lease.token }))).toMatchObject({ code: 'STALE_LEASE' });
    const { db, t } = seed.domain.store.read;
    const versions = (await db.select().from(t.modelVersions)).filter(({ jobId }) => jobId === job.id);
    expect(versions).toMatchObject([{ number: 1, fragmentId: fragment.id }]);
  });

  test('stores a late model, marked, and continues without it', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1 });
    const slow = nth(await fleet.selected(job.id), 2);
    const claim = await fleet.claim(job.id, slow);
    await fleet.train(job.id, 2);
    const late = await fleet.handIn(claim, slow, { numSamples: 7, metrics: [{ name: 'loss', value: 9 }] });
    expect([late.step.status, late.job.status]).toEqual(['SUCCEEDED', 'RUNNING']);
    expect(nth(await fleet.readParticipants(job.id), 2)).toMatchObject({
      status: 'LATE',
      fragmentId: late.fragment.id,
      numSamples: 7,
      metrics: { loss: 9 },
    });
    await fleet.aggregate(job.id);
    expect(await fleet.readRounds(job.id)).toMatchObject([{ status: 'SUCCEEDED', metrics: {} }]);
    expect(nth(await fleet.readParticipants(job.id), 2).status).toBe('LATE');
  });

  test('stores a model that comes after the only round and the job have ended, marked, and the streams end after it', async () => {
    const { seed, wakeups } = on();
    const { domain } = seed;
    const fleet = await raiseFleet(seed, 4);
    const { job } = await fleet.createJob({ numDevices: 1, numBufferDevices: 3 });
    const [first, slow, gone, silent] = await fleet.selected(job.id);
    if (!first || !slow || !gone || !silent) throw new Error('Four devices were selected.');
    const claims = { slow: await fleet.claim(job.id, slow), gone: await fleet.claim(job.id, gone) };
    await fleet.claim(job.id, silent, 1, 3_600);
    await fleet.handIn(await fleet.claim(job.id, first), first);
    const { job: ended, fragment } = await fleet.aggregate(job.id);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', resultModelId: fragment.id });
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['SUBMITTED', 'TRAINING', 'TRAINING', 'TRAINING']);
    const stateOf = async (kind: 'event' | 'log', eventTypes?: readonly EventType[]) => {
      const stream = await jobStream(domain, wakeups, { kind, jobId: job.id, ...(eventTypes ? { eventTypes } : {}) });
      const frame = await stream.next();
      await stream.return?.();
      return frame.value?.state;
    };
    expect(await stateOf('event', ['JOB_CREATED', 'JOB_STATUS_CHANGED'])).toBe('ENDED');
    expect([await stateOf('event'), await stateOf('log')]).toEqual(['LIVE', 'LIVE']);

    // It is told to stop, but still submits its model.
    expect(await renewLease(domain, slow.principal, { leaseToken: claims.slow.lease.token, leaseSeconds: 60 })).toMatchObject({
      isCancelRequested: true,
    });
    const late = await fleet.handIn(claims.slow, slow, { numSamples: 7, metrics: [{ name: 'loss', value: 9 }] });
    expect(late).toMatchObject({ step: { status: 'SUCCEEDED' }, job: { status: 'SUCCEEDED', resultModelId: fragment.id } });
    await releaseStep(domain, gone.principal, { leaseToken: claims.gone.lease.token });
    expect(await stateOf('log')).toBe('LIVE');
    // A silent device is not waited for longer than the limit for late models.
    seed.clock.advance(domain.limits.lateModelSeconds * 1_000 + 1);
    await sweep(domain);
    const participants = await fleet.readParticipants(job.id);
    expect(statusesOf(participants)).toEqual(['SUBMITTED', 'LATE', 'DROPPED', 'DROPPED']);
    expect(participants[1]).toMatchObject({ fragmentId: late.fragment.id, numSamples: 7, metrics: { loss: 9 } });
    expect([await stateOf('event'), await stateOf('log')]).toEqual(['ENDED', 'ENDED']);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'SUCCEEDED', resultModelId: fragment.id });
  });

  test('waits for a late model no longer than its limit, however often its device renews', async () => {
    const { seed } = on();
    const { domain, clock } = seed;
    const fleet = await raiseFleet(seed, 2);
    const { job } = await fleet.createJob({ numDevices: 1, numBufferDevices: 1 });
    const [first, slow] = await fleet.selected(job.id);
    if (!first || !slow) throw new Error('Two devices were selected.');
    const { lease } = await fleet.claim(job.id, slow);
    await fleet.handIn(await fleet.claim(job.id, first), first);
    await fleet.aggregate(job.id);
    const renew = () => renewLease(domain, slow.principal, { leaseToken: lease.token, leaseSeconds: 60 });
    for (let waited = 0; waited < domain.limits.lateModelSeconds; waited += 50) {
      await renew();
      clock.advance(50_000);
    }
    expect(await refusalOf(renew())).toMatchObject({ code: 'STALE_LEASE' });
  });

  test('accepts a late model while the next one trains', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1, terminationCriteria: [{ maxRounds: 2 }] });
    const slow = nth(await fleet.selected(job.id), 2);
    const claim = await fleet.claim(job.id, slow);
    await fleet.train(job.id, 2);
    await fleet.aggregate(job.id);
    await fleet.handIn(claim, slow);
    expect(nth(await fleet.readParticipants(job.id, 1), 2).status).toBe('LATE');
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['SUCCEEDED', 'TRAINING']);
    await fleet.train(job.id, 2, 2);
    expect((await fleet.aggregate(job.id)).job.status).toBe('SUCCEEDED');
  });

  test('weighs metrics by samples if every device gave them, and adds the metrics of the aggregation', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { job } = await fleet.createJob({ numDevices: 2 });
    const [first, second] = await fleet.selected(job.id);
    if (!first || !second) throw new Error('Two were selected.');
    const claim = await fleet.claim(job.id, first);
    // Metrics reported while training count like those of the completion.
    const metrics = [
      { name: 'accuracy', value: 0.25, iteration: 4 },
      { name: 'own', value: 1 },
    ];
    await reportMetrics(seed.domain, first.principal, { leaseToken: claim.lease.token, metrics });
    await fleet.handIn(claim, first, { numSamples: 1, metrics: [{ name: 'loss', value: 3 }] });
    const given = [
      { name: 'accuracy', value: 0.75 },
      { name: 'loss', value: 1 },
    ];
    await fleet.handIn(await fleet.claim(job.id, second), second, { numSamples: 3, metrics: given });
    await fleet.aggregate(job.id, { metrics: [{ name: 'tested', value: 0.5 }] });
    expect(await fleet.readRounds(job.id)).toMatchObject([{ isWeighted: true, metrics: { accuracy: 0.625, loss: 1.5, tested: 0.5 } }]);
    expect(nth(await fleet.readRounds(job.id), 0).metrics).not.toHaveProperty('own');
  });

  test('does not weigh if one device gave no samples', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { job } = await fleet.createJob({ numDevices: 2 });
    const [first, second] = await fleet.selected(job.id);
    if (!first || !second) throw new Error('Two were selected.');
    await fleet.handIn(await fleet.claim(job.id, first), first, { numSamples: 1, metrics: [{ name: 'loss', value: 3 }] });
    await fleet.handIn(await fleet.claim(job.id, second), second, { metrics: [{ name: 'loss', value: 1 }] });
    await fleet.aggregate(job.id);
    expect(await fleet.readRounds(job.id)).toMatchObject([{ isWeighted: false, metrics: { loss: 2 } }]);
  });

  test('continues without a device that failed while enough remain, and fails when too few do', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1 });
    const [first, second, third] = await fleet.selected(job.id);
    if (!first || !second || !third) throw new Error('Three were selected.');
    const claims = [await fleet.claim(job.id, first), await fleet.claim(job.id, second)] as const;
    const failed = await failStep(seed.domain, first.principal, { leaseToken: claims[0].lease.token, description: 'No data.' });
    expect([failed.step.status, failed.job.status]).toEqual(['FAILED', 'RUNNING']);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['DROPPED', 'TRAINING', 'INVITED']);
    const { job: ended } = await failStep(seed.domain, second.principal, { leaseToken: claims[1].lease.token });
    expect(ended).toMatchObject({
      status: 'FAILED',
      reason: 'QUORUM_UNREACHABLE',
      reasonDescription: 'Round 1 needs 2 models; devices that remain: 1.',
    });
    expect(statusesOf(await seed.readSteps(job.id))).toEqual(['FAILED', 'FAILED', 'SKIPPED']);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['DROPPED', 'DROPPED', 'DROPPED']);
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['FAILED']);
    expect(await fleet.readRoundEvents(job.id)).toEqual(['1 null → TRAINING', '1 TRAINING → FAILED']);
  });

  test('invites a lost device again if it comes back, and drops one that does not', async () => {
    const { seed, claimNext } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1 });
    const [first, second, third] = await fleet.selected(job.id);
    if (!first || !second || !third) throw new Error('Three were selected.');
    await fleet.claim(job.id, first, 1, 10);
    await fleet.claim(job.id, second, 1, 10);
    seed.clock.advance(10_000);
    await sweep(seed.domain);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['INVITED', 'INVITED', 'INVITED']);
    expect((await claimNext(first.principal))[0]?.lease.attempt).toBe(2);
    seed.clock.advance(51_000);
    await see(seed, [first, third]);
    await sweep(seed.domain);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['TRAINING', 'DROPPED', 'INVITED']);
    expect(nth(await seed.readSteps(job.id), 1).status).toBe('FAILED');
    expect((await seed.readJob(job.id)).status).toBe('RUNNING');
    expect(await claimNext(second.principal)).toEqual([]);
  });

  test('fails when too many devices are lost for the quorum', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1 });
    const survivor = nth(await fleet.train(job.id, 1), 0);
    seed.clock.advance(61_000);
    await see(seed, [survivor]);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'FAILED', reason: 'QUORUM_UNREACHABLE' });
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['SUBMITTED', 'DROPPED', 'DROPPED']);
  });

  test('counts a device that drains or was deleted as gone', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 4);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 2 });
    const [first, second] = await fleet.selected(job.id);
    if (!first || !second) throw new Error('Four were selected.');
    await updateDevice(seed.domain, admin, { deviceId: first.device.id, isDraining: true });
    await deleteDevice(seed.domain, admin, { deviceId: second.device.id });
    await sweep(seed.domain);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['DROPPED', 'DROPPED', 'INVITED', 'INVITED']);
  });

  test('fails at its deadline, not before, and not when its models were in time', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 4);
    const { job } = await fleet.createJob({ numDevices: 2, roundDeadlineSeconds: 30 });
    const { job: prompt } = await fleet.createJob({ numDevices: 2, roundDeadlineSeconds: 30 });
    await fleet.train(job.id, 1);
    await fleet.train(prompt.id, 2);
    seed.clock.advance(29_999);
    await sweep(seed.domain);
    expect((await seed.readJob(job.id)).status).toBe('RUNNING');
    seed.clock.advance(1);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({
      status: 'FAILED',
      reason: 'QUORUM_UNREACHABLE',
      reasonDescription: 'Round 1 did not get its 2 models by its deadline.',
    });
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['FAILED']);
    expect(statusesOf(await fleet.readRounds(prompt.id))).toEqual(['AGGREGATING']);
    await see(seed, fleet.devices);
    expect((await fleet.aggregate(prompt.id)).job.status).toBe('SUCCEEDED');
  });

  test('is aggregated again after a failure, and fails its job after the third', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1 });
    await fleet.train(job.id, 1);
    for (const [i, status] of ['QUEUED', 'QUEUED', 'FAILED'].entries()) {
      const { lease } = await seed.claim(job, 1);
      const { step } = await failStep(seed.domain, admin, { leaseToken: lease.token, description: `No room ${i}.` });
      expect(step.status).toBe(status);
    }
    expect(await seed.readJob(job.id)).toMatchObject({
      status: 'FAILED',
      reasonDescription: 'Round 1 could not be aggregated: No room 2.',
    });
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['FAILED']);
  });

  test('is aggregated by a worker, if the job asks for it', async () => {
    const { seed, claimNext } = on();
    const fleet = await raiseFleet(seed, 2);
    const worker = await seed.registerDevice({ resources: { memoryMb: 512 } });
    const poor = await seed.registerDevice();
    const aggregateContainer = { command: 'python median.py', resources: { memoryMb: 256 } };
    const { job } = await fleet.createJob({ numDevices: 2, aggregateContainer });
    await fleet.train(job.id, 2);
    expect(await claimNext(poor.principal)).toEqual([]);
    const [claim] = await claimNext(worker.principal);
    expect(claim?.step).toMatchObject({ part: 'AGGREGATE', name: 'Aggregate, round 1', container: { command: 'python median.py' } });
    if (!claim) throw new Error('The aggregation can be claimed.');
    expect((await fleet.handIn(claim, worker)).job).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('tells a step that submits no model how to submit one', async () => {
    const { seed, readAll } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1 });
    const device = nth(fleet.devices, 0);
    const { lease } = await fleet.claim(job.id, device);
    const before = await readAll();
    expect(await refusalOf(completeStep(seed.domain, device.principal, { leaseToken: lease.token }))).toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: ['leaseToken'], message: expect.stringContaining('createFragment') }],
    });
    expect(await readAll()).toEqual(before);
  });

  test('protects the models that it needs from deletion', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1, terminationCriteria: [{ maxRounds: 2 }] });
    const device = nth(fleet.devices, 0);
    const { fragment } = await fleet.handIn(await fleet.claim(job.id, device), device);
    const remove = (fragmentId: string) => deleteFragment(seed.domain, admin, { fragmentId });
    expect(await refusalOf(remove(fragment.id))).toMatchObject({ code: 'INVALID_STATE', status: 'AGGREGATING' });
    const { fragment: aggregate } = await fleet.aggregate(job.id);
    expect(await refusalOf(remove(aggregate.id))).toMatchObject({ code: 'INVALID_STATE', status: 'TRAINING' });
    expect(await remove(fragment.id)).toEqual({ deletedFragmentId: fragment.id });
  });
});
