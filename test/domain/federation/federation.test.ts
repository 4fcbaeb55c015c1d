/** Federated jobs: their input, device selection, and the model that is passed on. */
import { describe, expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { selectDevices } from '../../../src/domain/federation/selection.ts';
import { isMet } from '../../../src/domain/federation/termination.ts';
import { createFragment, finishUpload } from '../../../src/domain/files/fragments.ts';
import { createJob, retryJob } from '../../../src/domain/jobs/creation.ts';
import { createExperiment } from '../../../src/domain/jobs/experiments.ts';
import { addSteps } from '../../../src/domain/jobs/update.ts';
import { updateDevice } from '../../../src/domain/steps/devices.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin, type Seed } from '../../support/seed.ts';
import { raiseFleet, smallModel } from '../fleet.ts';

const idsOf = (devices: readonly { device: { id: string } }[]) => devices.map(({ device }) => device.id);

describe('A selection', () => {
  const ids = Array.from({ length: 20 }, (_, i) => `dev_${i}`);

  test('depends only on seed, round and devices, not on the order of the list', () => {
    const chosen = selectDevices(ids, 5, 'seed', 1);
    expect(selectDevices(ids.toReversed(), 5, 'seed', 1)).toEqual(chosen);
    expect(selectDevices(ids, 5, 'another', 1)).not.toEqual(chosen);
    expect(selectDevices(ids, 5, 'seed', 2)).not.toEqual(chosen);
  });

  test('has no device twice, and all of them when all are requested', () => {
    expect(selectDevices(ids, 20, 'seed', 1).sort()).toEqual(ids.toSorted());
    expect(selectDevices(ids, 21, 'seed', 1)).toHaveLength(20);
  });

  test('does not change when a device that was not selected is gone', () => {
    const chosen = selectDevices(ids, 5, 'seed', 1);
    const others = ids.filter((id) => !chosen.includes(id)).slice(1);
    expect(selectDevices([...chosen, ...others], 5, 'seed', 1)).toEqual(chosen);
  });

  test('gives every device its turn over many rounds', () => {
    const turns = new Map(ids.map((id) => [id, 0]));
    for (let round = 1; round <= 400; round++)
      for (const id of selectDevices(ids, 5, 'seed', round)) turns.set(id, (turns.get(id) ?? 0) + 1);
    // 100 are expected of each. The chance that a fair selection is off by 40 is below one in a
    // million.
    for (const count of turns.values()) expect(Math.abs(count - 100)).toBeLessThan(40);
  });
});

describe('A criterion', () => {
  const at = (milliseconds: number) => new Date(milliseconds);
  const progress = { startedAt: at(0), now: at(10_000), rounds: 3, metrics: { loss: 0.5 } };
  test.each([
    [{ maxRounds: 3 }, true],
    [{ maxRounds: 4 }, false],
    [{ maxDurationSeconds: 10 }, true],
    [{ maxDurationSeconds: 10.001 }, false],
    [{ metric: { metric: 'loss', operator: 'LT', threshold: 0.5 } }, false],
    [{ metric: { metric: 'loss', operator: 'LTE', threshold: 0.5 } }, true],
    [{ metric: { metric: 'loss', operator: 'GT', threshold: 0.4 } }, true],
    [{ metric: { metric: 'loss', operator: 'GTE', threshold: 0.6 } }, false],
    [{ metric: { metric: 'accuracy', operator: 'LT', threshold: 1 } }, false],
  ] as const)('%o holds: %s', (criterion, holds) => {
    expect(isMet(criterion, progress)).toBe(holds);
  });
});

/** A model of the project itself. */
async function storeModel({ domain, project }: Seed, filename = 'start.safetensors', bytes = smallModel) {
  const { fragment } = await createFragment(domain, admin, { projectId: project.id, filename, type: 'MODEL' });
  const { file, keep } = await domain.files.receive(fragment.id, [bytes], bytes.length);
  await keep();
  return finishUpload(domain, fragment.id, file);
}

describeOnGround('A federated job', (on) => {
  test('selects devices and buffer devices at once, each with a step that only it may claim', async () => {
    const { seed, claimNext } = on();
    const fleet = await raiseFleet(seed, 6);
    await seed.registerDevice({ kind: 'WORKER' });
    const { job, steps } = await fleet.createJob({ numDevices: 2, numBufferDevices: 1, selectionSeed: 'alpha', roundDeadlineSeconds: 60 });
    expect(job).toMatchObject({ status: 'QUEUED', isFederated: true, stepCount: 3 });
    const expected = selectDevices(idsOf(fleet.devices), 3, 'alpha', 1);
    expect(idsOf(await fleet.selected(job.id))).toEqual(expected);
    expect(steps.map(({ status, part, round, number }) => ({ status, part, round, number }))).toEqual(
      [0, 1, 2].map((number) => ({ status: 'QUEUED', part: 'TRAIN', round: 1, number })),
    );
    expect((await fleet.readParticipants(job.id)).map(({ status, position, stepId }) => [status, position, stepId])).toEqual(
      steps.map(({ id }, i) => ['INVITED', i, id]),
    );
    const now = seed.clock.now();
    expect(await fleet.readRounds(job.id)).toEqual([
      expect.objectContaining({
        number: 1,
        status: 'TRAINING',
        quorum: 2,
        startedAt: now,
        deadlineAt: new Date(now.getTime() + 60_000),
        finishedAt: null,
      }),
    ]);
    expect(await fleet.readRoundEvents(job.id)).toEqual(['1 null → TRAINING']);
    for (const { device, principal } of fleet.devices) {
      const claims = await claimNext(principal, { limit: 10 });
      expect(claims.map(({ step }) => step.id)).toEqual(expected.includes(device.id) ? [steps[expected.indexOf(device.id)]?.id] : []);
    }
    expect(await claimNext(admin)).toEqual([]);
    expect((await fleet.readParticipants(job.id)).map(({ status }) => status)).toEqual(['TRAINING', 'TRAINING', 'TRAINING']);
    expect((await seed.readJob(job.id)).status).toBe('RUNNING');
  });

  test('with the seed of another selects the same devices; without one it makes its own seed', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 8);
    const first = await fleet.createJob({ numDevices: 4 });
    const selectionSeed = (await fleet.readFederation(first.job.id))?.selectionSeed ?? '';
    expect(selectionSeed).toMatch(/^[0-9a-f]{16}$/);
    const again = await fleet.createJob({ numDevices: 4, selectionSeed });
    expect(idsOf(await fleet.selected(again.job.id))).toEqual(idsOf(await fleet.selected(first.job.id)));
    const other = await fleet.createJob({ numDevices: 4 });
    expect((await fleet.readFederation(other.job.id))?.selectionSeed).not.toBe(selectionSeed);
  });

  test('selects only devices that meet the requirements of its training', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const strong = await seed.registerDevice({ kind: 'EDGE', resources: { gpu: 1, memoryMb: 8_192 } });
    const trainContainer = { resources: { gpu: 1, memoryMb: 4_096 } };
    for (const selectionSeed of ['a', 'b', 'c', 'd']) {
      const { job } = await fleet.createJob({ numDevices: 1, selectionSeed, trainContainer });
      expect((await fleet.readParticipants(job.id)).map(({ deviceId }) => deviceId)).toEqual([strong.device.id]);
    }
    expect(await refusalOf(fleet.createJob({ numDevices: 2, trainContainer }))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is refused if too few edge devices are online, with their number', async () => {
    const { seed, readAll } = on();
    const fleet = await raiseFleet(seed, 2);
    seed.clock.advance(61_000);
    await raiseFleetAgain();
    await updateDevice(seed.domain, admin, { deviceId: fleet.devices[0]?.device.id ?? '', name: 'still offline' });
    const before = await readAll();
    expect(await refusalOf(fleet.createJob({ numDevices: 3, numBufferDevices: 2 }))).toMatchObject({
      code: 'INVALID_INPUT',
      issues: [
        {
          path: ['federation', 'numDevices'],
          message:
            'asks for 5 edge devices (with numBufferDevices), but only 3 that match are online in the project. Ask for fewer, or start more devices.',
        },
      ],
    });
    expect(await readAll()).toEqual(before);
    expect((await fleet.createJob({ numDevices: 2, numBufferDevices: 1 })).steps).toHaveLength(3);

    async function raiseFleetAgain() {
      for (const name of ['a', 'b', 'c']) await seed.registerDevice({ name, kind: 'EDGE' });
      const { device } = await seed.registerDevice({ name: 'drains', kind: 'EDGE' });
      await updateDevice(seed.domain, admin, { deviceId: device.id, isDraining: true });
    }
  });

  test.each([
    ['no device', { numDevices: 0 }, 'numDevices'],
    ['a negative buffer', { numDevices: 1, numBufferDevices: -1 }, 'numBufferDevices'],
    ['more devices than one transaction bears', { numDevices: 600, numBufferDevices: 401 }, 'numBufferDevices'],
    ['no time for a round', { numDevices: 1, roundDeadlineSeconds: 0 }, 'roundDeadlineSeconds'],
    ['no rounds', { numDevices: 1, terminationCriteria: [{ maxRounds: 0 }] }, 'terminationCriteria.0.maxRounds'],
    ['no duration', { numDevices: 1, terminationCriteria: [{ maxDurationSeconds: -1 }] }, 'terminationCriteria.0.maxDurationSeconds'],
    [
      'a metric without a name',
      { numDevices: 1, terminationCriteria: [{ metric: { metric: ' ', operator: 'LT', threshold: 1 } }] },
      'terminationCriteria.0.metric.metric',
    ],
    ['a criterion of nothing', { numDevices: 1, terminationCriteria: [{}] }, 'terminationCriteria.0'],
    ['a start model that is not there', { numDevices: 1, startModelFragmentId: 'frag_none' }, 'startModelFragmentId'],
    [
      'a container of image and build',
      { numDevices: 1, aggregateContainer: { image: 'a', build: { context: '.' } } },
      'aggregateContainer.build',
    ],
  ] as const)('is refused with %s', async (_, federation, path) => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const refusal = await refusalOf(fleet.createJob(federation));
    expect(refusal).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['federation', ...path.split('.')] }] });
  });

  test('accepts no steps, neither with its federation nor later', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const steps = [{ name: 'More' }];
    expect(await refusalOf(fleet.createJob({ numDevices: 1 }, { steps }))).toMatchObject({ issues: [{ path: ['steps'] }] });
    const { job } = await fleet.createJob({ numDevices: 1 });
    expect(await refusalOf(addSteps(seed.domain, admin, { jobId: job.id, steps }))).toMatchObject({ code: 'INVALID_STATE' });
    expect(await seed.readSteps(job.id)).toHaveLength(1);
  });

  test('runs the container of the job on its devices, or one of its own, with what that needs', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    await seed.registerDevice({ kind: 'EDGE', resources: { cpu: 2 } });
    const container = { command: 'train' };
    const { steps } = await fleet.createJob({ numDevices: 1 }, { container });
    expect(steps[0]?.container?.command).toBe('train');
    const own = await fleet.createJob({ numDevices: 1, trainContainer: { command: 'train here', resources: { cpu: 2 } } }, { container });
    expect(own.steps[0]?.container).toMatchObject({ command: 'train here', resources: { cpu: 2 } });
  });

  test('is created once for an idempotency key, even if devices have come and gone since', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const input = { projectId: seed.project.id, name: 'Once', federation: { numDevices: 2 }, idempotencyKey: 'once' };
    const { job } = await createJob(seed.domain, admin, input);
    seed.clock.advance(120_000);
    const again = await createJob(seed.domain, admin, input);
    expect([again.job.id, again.isReplay]).toEqual([job.id, true]);
    expect(fleet.devices).toHaveLength(2);
  });

  test('is retried as a federated job with the same input and seed', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 4);
    const start = await storeModel(seed);
    const federation = {
      numDevices: 2,
      selectionSeed: 'again',
      startModelFragmentId: start.id,
      terminationCriteria: [{ maxRounds: 1 }],
    };
    const { job } = await fleet.createJob(federation);
    await fleet.train(job.id, 2);
    expect((await fleet.aggregate(job.id)).job.status).toBe('SUCCEEDED');
    const { job: second } = await retryJob(seed.domain, admin, { jobId: job.id });
    expect(second).toMatchObject({ isFederated: true, startModelId: start.id, status: 'QUEUED', stepCount: 2, resultModelId: null });
    const { jobId: _, ...rest } = (await fleet.readFederation(second.id)) ?? { jobId: '' };
    expect(rest).toMatchObject({ numDevices: 2, selectionSeed: 'again', terminationCriteria: [{ maxRounds: 1 }], aggregateModelId: null });
    expect(idsOf(await fleet.selected(second.id))).toEqual(idsOf(await fleet.selected(job.id)));
  });
});

describeOnGround('A federated job of an experiment', (on) => {
  async function plantExperiment() {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 3);
    const start = await storeModel(seed);
    const { experiment } = await createExperiment(seed.domain, admin, {
      projectId: seed.project.id,
      name: 'Continual',
      startModelFragmentId: start.id,
    });
    return { seed, fleet, start, experimentId: experiment.id };
  }

  test('passes its aggregate on to the next, whose first round and duration start then', async () => {
    const { seed, fleet, start, experimentId } = await plantExperiment();
    const { job } = await fleet.createJob({ numDevices: 2 }, { experimentId });
    const next = await fleet.createJob({ numDevices: 2, terminationCriteria: [{ maxDurationSeconds: 100 }] }, { experimentId });
    expect([job.startModelId, next.job.status, next.steps.length]).toEqual([start.id, 'BLOCKED', 0]);
    expect(await fleet.readRounds(next.job.id)).toEqual([]);
    seed.clock.advance(30_000);
    await fleet.train(job.id, 2);
    const { fragment, job: ended } = await fleet.aggregate(job.id);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', resultModelId: fragment.id });
    expect(await seed.readJob(next.job.id)).toMatchObject({ status: 'QUEUED', startModelId: fragment.id, stepCount: 2 });
    expect(await fleet.readRounds(next.job.id)).toMatchObject([
      { status: 'TRAINING', startModelId: fragment.id, deadlineAt: new Date(seed.clock.now().getTime() + 100_000) },
    ]);
    await fleet.train(next.job.id, 2);
    expect((await seed.readJob(next.job.id)).status).toBe('RUNNING');
  });

  test('fails if too few devices are online when its turn comes, and the one after it has its turn', async () => {
    const { seed, fleet, start, experimentId } = await plantExperiment();
    const { job } = await seed.createJob(1, { experimentId });
    const second = await fleet.createJob({ numDevices: 4 }, { experimentId });
    const third = await fleet.createJob({ numDevices: 3 }, { experimentId });
    const { lease } = await seed.claim(job);
    await completeStep(seed.domain, admin, { leaseToken: lease.token });
    expect(await seed.readJob(second.job.id)).toMatchObject({
      status: 'FAILED',
      reason: 'QUORUM_UNREACHABLE',
      reasonDescription: 'Round 1 needs 4 edge devices; online, with what it asks for: 3.',
    });
    expect(await seed.readJob(third.job.id)).toMatchObject({ status: 'QUEUED', startModelId: start.id, stepCount: 3 });
  });

  test('passes on the model that it started from when it fails', async () => {
    const { seed, fleet, start, experimentId } = await plantExperiment();
    const { job } = await fleet.createJob({ numDevices: 2, roundDeadlineSeconds: 10 }, { experimentId });
    const next = await seed.createJob(1, { experimentId });
    await fleet.train(job.id, 1);
    seed.clock.advance(10_000);
    await sweep(seed.domain);
    expect((await seed.readJob(job.id)).status).toBe('FAILED');
    expect(await seed.readJob(next.job.id)).toMatchObject({ status: 'QUEUED', startModelId: start.id });
  });
});
