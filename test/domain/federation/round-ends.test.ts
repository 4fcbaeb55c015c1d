/**
 * Federated jobs over many rounds. Each round starts from the aggregate of the one before, until a
 * criterion holds, devices lack, or the job is cancelled.
 */
import { expect, test } from 'vitest';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';
import { nth, raiseFleet, see, statusesOf } from '../fleet.ts';

describeOnGround('A job of many rounds', (on) => {
  test('starts each round from the aggregate of the one before, with a new selection, up to maxRounds', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 8);
    const { job } = await fleet.createJob({ numDevices: 2, selectionSeed: 'rounds', terminationCriteria: [{ maxRounds: 3 }] });
    const aggregates: string[] = [];
    for (let round = 1; round <= 3; round++) {
      await fleet.train(job.id, 2, round);
      aggregates.push((await fleet.aggregate(job.id)).fragment.id);
    }
    const rounds = await fleet.readRounds(job.id);
    expect(rounds.map(({ number, status, startModelId, aggregateModelId }) => [number, status, startModelId, aggregateModelId])).toEqual([
      [1, 'SUCCEEDED', null, aggregates[0]],
      [2, 'SUCCEEDED', aggregates[0], aggregates[1]],
      [3, 'SUCCEEDED', aggregates[1], aggregates[2]],
    ]);
    expect(await seed.readJob(job.id)).toMatchObject({
      status: 'SUCCEEDED',
      reason: 'TERMINATION_CRITERION',
      reasonDescription: 'A termination criterion held after round 3.',
      resultModelId: aggregates[2],
      stepCount: 9,
    });
    expect((await seed.readSteps(job.id)).map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const selections = await Promise.all(
      [1, 2, 3].map(async (round) => (await fleet.readParticipants(job.id, round)).map(({ deviceId }) => deviceId)),
    );
    expect(new Set(selections.map((ids) => ids.join())).size).toBeGreaterThan(1);
    expect((await fleet.readRoundEvents(job.id)).filter((event) => event.endsWith('TRAINING'))).toEqual([
      '1 null → TRAINING',
      '2 null → TRAINING',
      '3 null → TRAINING',
    ]);
  });

  test('ends when a metric reaches its threshold', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { job } = await fleet.createJob({
      numDevices: 2,
      terminationCriteria: [{ maxRounds: 50 }, { metric: { metric: 'loss', operator: 'LTE', threshold: 0.5 } }],
    });
    for (const [i, value] of [0.9, 0.7, 0.5].entries()) {
      await fleet.train(job.id, 2, i + 1, { metrics: [{ name: 'loss', value }] });
      expect((await fleet.aggregate(job.id)).job.status).toBe(value === 0.5 ? 'SUCCEEDED' : 'RUNNING');
    }
  });

  test('ends at its maximum duration, by the clock alone, with the models it has', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { job } = await fleet.createJob({ numDevices: 2, roundDeadlineSeconds: 500, terminationCriteria: [{ maxDurationSeconds: 100 }] });
    const deadlineAt = new Date(job.createdAt.getTime() + 100_000);
    await fleet.train(job.id, 2);
    const { fragment } = await fleet.aggregate(job.id);
    expect((await fleet.readRounds(job.id)).map((round) => round.deadlineAt)).toEqual([deadlineAt, deadlineAt]);
    const device = nth(await fleet.selected(job.id, 2), 0);
    const { lease } = await fleet.claim(job.id, device, 2, 600);
    seed.clock.advance(99_999);
    await see(seed, fleet.devices);
    await sweep(seed.domain);
    expect((await seed.readJob(job.id)).status).toBe('RUNNING');
    seed.clock.advance(1);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({
      status: 'SUCCEEDED',
      reason: 'TERMINATION_CRITERION',
      reasonDescription: 'The job has reached its maxDurationSeconds.',
      resultModelId: fragment.id,
    });
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['SUCCEEDED', 'CANCELLED']);
    expect(statusesOf(await fleet.readParticipants(job.id, 2))).toEqual(['TRAINING', 'DROPPED']);
    expect(await renewLease(seed.domain, device.principal, { leaseToken: lease.token, leaseSeconds: 60 })).toMatchObject({
      isCancelRequested: true,
    });
    await releaseStep(seed.domain, device.principal, { leaseToken: lease.token });
    expect(statusesOf(await fleet.readParticipants(job.id, 2))).toEqual(['DROPPED', 'DROPPED']);
  });

  test('ends at its maximum duration also before a device has claimed a step, and while it aggregates', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const criteria = { terminationCriteria: [{ maxDurationSeconds: 20 }] };
    const { job: untouched } = await fleet.createJob({ numDevices: 1, ...criteria });
    const { job: aggregating } = await fleet.createJob({ numDevices: 1, ...criteria });
    await fleet.train(aggregating.id, 1);
    seed.clock.advance(20_000);
    await sweep(seed.domain);
    for (const { id } of [untouched, aggregating]) {
      expect(await seed.readJob(id)).toMatchObject({ status: 'SUCCEEDED', reason: 'TERMINATION_CRITERION', resultModelId: null });
      expect(statusesOf(await fleet.readRounds(id))).toEqual(['CANCELLED']);
    }
  });

  test('fails if its next round lacks devices, but starts it with fewer spare devices than requested', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const { job } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1, terminationCriteria: [{ maxRounds: 5 }] });
    const [first, second] = await fleet.train(job.id, 2);
    if (!first || !second) throw new Error('Two have trained.');
    seed.clock.advance(61_000);
    await see(seed, [first, second]);
    await fleet.aggregate(job.id);
    expect((await fleet.selected(job.id, 2)).map(({ device }) => device.id).sort()).toEqual([first.device.id, second.device.id].sort());
    await fleet.train(job.id, 2, 2);
    seed.clock.advance(61_000);
    await see(seed, [first]);
    const { job: ended, fragment } = await fleet.aggregate(job.id);
    expect(ended).toMatchObject({
      status: 'FAILED',
      reason: 'QUORUM_UNREACHABLE',
      reasonDescription: 'Round 3 needs 2 edge devices; online, with what it asks for: 1.',
      resultModelId: fragment.id,
    });
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });
});

describeOnGround('Cancelling a federated job', (on) => {
  test('waits for the devices that train, whatever they submit meanwhile, and drops the others at once', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 4);
    const { job } = await fleet.createJob({ numDevices: 3, numBufferDevices: 1 });
    const [first, second] = await fleet.selected(job.id);
    if (!first || !second) throw new Error('Four were selected.');
    const claims = [await fleet.claim(job.id, first), await fleet.claim(job.id, second)] as const;
    const { job: cancelling } = await cancelJob(seed.domain, admin, { jobId: job.id, reason: 'No use.', cancelTimeoutSeconds: 30 });
    expect(cancelling.status).toBe('CANCELLING');
    expect(statusesOf(await seed.readSteps(job.id))).toEqual(['CANCELLING', 'CANCELLING', 'SKIPPED', 'SKIPPED']);
    expect((await failStep(seed.domain, first.principal, { leaseToken: claims[0].lease.token })).job.status).toBe('CANCELLING');
    const { job: ended } = await fleet.handIn(claims[1], second);
    expect(ended).toMatchObject({ status: 'CANCELLED', reason: 'USER_REQUESTED', reasonDescription: 'No use.' });
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['CANCELLED']);
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['DROPPED', 'SUBMITTED', 'DROPPED', 'DROPPED']);
  });

  test('ends at its timeout, and at once if no device holds a step', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const { job } = await fleet.createJob({ numDevices: 2 });
    await fleet.claim(job.id, nth(await fleet.selected(job.id), 0), 1, 600);
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 5 });
    seed.clock.advance(5_000);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'CANCELLED', reason: 'CANCEL_TIMEOUT' });
    expect(statusesOf(await fleet.readParticipants(job.id))).toEqual(['DROPPED', 'DROPPED']);
    const { job: untouched } = await fleet.createJob({ numDevices: 2 });
    expect((await cancelJob(seed.domain, admin, { jobId: untouched.id, cancelTimeoutSeconds: 30 })).job.status).toBe('CANCELLED');
    expect(await fleet.readRoundEvents(untouched.id)).toEqual(['1 null → TRAINING', '1 TRAINING → CANCELLED']);
  });

  test('stops a running aggregation', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1, terminationCriteria: [{ maxRounds: 9 }] });
    await fleet.train(job.id, 1);
    const claim = await seed.claim(job, 1);
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 30 });
    const fragment = await fleet.upload(claim, admin);
    const { job: ended } = await completeStep(seed.domain, admin, { leaseToken: claim.lease.token });
    expect(ended).toMatchObject({ status: 'CANCELLED', resultModelId: null });
    expect(await fleet.readRounds(job.id)).toMatchObject([{ status: 'CANCELLED', aggregateModelId: null }]);
    expect(fragment.status).toBe('READY');
  });

  test('happens at a run timeout as well', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1 }, { runTimeoutSeconds: 15 });
    await fleet.claim(job.id, nth(fleet.devices, 0));
    seed.clock.advance(15_000);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'CANCELLING', reason: 'RUN_TIMEOUT' });
    seed.clock.advance(30_000);
    await sweep(seed.domain);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'FAILED', reason: 'RUN_TIMEOUT' });
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['FAILED']);
  });
});
