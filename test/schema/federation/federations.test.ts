import { beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/domain/access/key-changes.ts';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { createFragment, deleteFragment } from '../../../src/domain/files/fragments.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { deleteDevice } from '../../../src/domain/steps/devices.ts';
import { sweep } from '../../../src/domain/sweep/timekeeping.ts';
import { type Fleet, nth, raiseFleet, smallModel } from '../../domain/fleet.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';
import { watchAs } from '../watch.ts';

const create = `mutation ($input: CreateJobInput!) { createJob(input: $input) {
  __typename
  ... on CreateJobPayload { job { id status federation { numDevices } steps { number part round { number } } } }
  ... on Error { code message } ... on InvalidInputError { issues { path message } }
} }`;

const whole = `query ($id: ID!) { job(id: $id) { status billableBytes federation {
  deviceSelectionStrategy numDevices numBufferDevices selectionSeed roundDeadlineSeconds
  trainContainer { command } aggregateContainer { command }
  terminationCriteria { __typename type isMet
    ... on DurationCriterion { maxDurationSeconds } ... on RoundsCriterion { maxRounds } ... on MetricCriterion { metric operator threshold } }
  devices { id name } startModel { id } aggregateModel { id stateDict { tensors { name dtype shape values } } }
  models { device { name } fragment { id type } numSamples metrics isLate }
  currentRound { number }
  rounds { number status quorum submitted isWeighted metrics startedAt deadlineAt finishedAt startModel { id } aggregateModel { id }
    participants { device { name kind } step { number name round { number } part } status } models { fragment { id } } }
} } }`;

interface Shown {
  status: string;
  billableBytes: number;
  federation: {
    devices: { id: string; name: string }[];
    models: { device: { name: string }; isLate: boolean }[];
    rounds: { number: number; submitted: number; participants: { status: string }[]; models: unknown[] }[];
    [field: string]: unknown;
  };
}

describeOnEachStore('a federated job', (open) => {
  let seed: Seed;
  let fleet: Fleet;
  let ask: Ask;
  const show = async (id: string, as = ask) => (await as<{ job: Shown }>(whole, { id })).job;
  const keyOf = async (input: Pick<Parameters<typeof createApiKey>[2], 'kind' | 'jobId' | 'role' | 'projectId'>): Promise<Principal> => {
    const { secret } = await createApiKey(seed.domain, admin, { name: 'a key', ...input });
    return seed.principalOf(secret);
  };

  beforeAll(async () => {
    seed = await plantSeed(await open());
    fleet = await raiseFleet(seed, 4);
    ask = askAs(seed.domain, admin);
  });

  test('is created with everything, and read back with everything', async () => {
    const federation = {
      numDevices: 2,
      numBufferDevices: 1,
      selectionSeed: 'alpha',
      roundDeadlineSeconds: 90.5,
      terminationCriteria: [{ maxRounds: 2 }, { maxDurationSeconds: 60 }, { metric: { metric: 'loss', operator: 'LT', threshold: 0.1 } }],
      trainContainer: { command: 'train' },
      aggregateContainer: { command: 'aggregate' },
    };
    const { createJob } = await ask<{ createJob: { job: { id: string } } }>(create, {
      input: { projectId: seed.project.id, name: 'Everything', federation },
    });
    const names = (await fleet.selected(createJob.job.id)).map(({ device }) => device.name);
    expect(createJob).toEqual({
      __typename: 'CreateJobPayload',
      job: {
        id: createJob.job.id,
        status: 'QUEUED',
        federation: { numDevices: 2 },
        steps: [0, 1, 2].map((number) => ({ number, part: 'TRAIN', round: { number: 1 } })),
      },
    });
    const now = seed.clock.now();
    expect(await show(createJob.job.id)).toEqual({
      status: 'QUEUED',
      billableBytes: 0,
      federation: {
        deviceSelectionStrategy: 'RANDOM',
        numDevices: 2,
        numBufferDevices: 1,
        selectionSeed: 'alpha',
        roundDeadlineSeconds: 90.5,
        trainContainer: { command: 'train' },
        aggregateContainer: { command: 'aggregate' },
        terminationCriteria: [
          { __typename: 'RoundsCriterion', type: 'ROUNDS', isMet: false, maxRounds: 2 },
          { __typename: 'DurationCriterion', type: 'DURATION', isMet: false, maxDurationSeconds: 60 },
          { __typename: 'MetricCriterion', type: 'METRIC', isMet: false, metric: 'loss', operator: 'LT', threshold: 0.1 },
        ],
        devices: names.map((name) => ({ id: fleet.devices.find(({ device }) => device.name === name)?.device.id, name })),
        startModel: null,
        aggregateModel: null,
        models: [],
        currentRound: { number: 1 },
        rounds: [
          {
            number: 1,
            status: 'TRAINING',
            quorum: 2,
            submitted: 0,
            isWeighted: null,
            metrics: {},
            startedAt: now.toISOString(),
            deadlineAt: new Date(now.getTime() + 60_000).toISOString(),
            finishedAt: null,
            startModel: null,
            aggregateModel: null,
            participants: names.map((name, number) => ({
              device: { name, kind: 'EDGE' },
              step: { number, name: 'Train, round 1', round: { number: 1 }, part: 'TRAIN' },
              status: 'INVITED',
            })),
            models: [],
          },
        ],
      },
    });
  });

  test('shows its rounds, the models of its devices, and the state of its criteria', async () => {
    const { job } = await fleet.createJob({
      numDevices: 2,
      numBufferDevices: 1,
      terminationCriteria: [{ maxRounds: 2 }, { maxDurationSeconds: 50 }, { metric: { metric: 'loss', operator: 'LT', threshold: 0.1 } }],
    });
    const slow = nth(await fleet.selected(job.id), 2);
    const claim = await fleet.claim(job.id, slow);
    await fleet.train(job.id, 2, 1, { numSamples: 10, metrics: [{ name: 'loss', value: 0.5 }] });
    await fleet.handIn(claim, slow);
    const before = await show(job.id);
    expect(before.federation.models.map(({ isLate }) => isLate)).toEqual([false, false, true]);
    expect(nth(before.federation.models, 0)).toMatchObject({ numSamples: 10, metrics: { loss: 0.5 }, fragment: { type: 'MODEL' } });
    expect(before.billableBytes).toBe(3 * smallModel.length);
    const { fragment } = await fleet.aggregate(job.id);
    await fleet.train(job.id, 2, 2);
    await fleet.aggregate(job.id);
    seed.clock.advance(50_000);
    const after = await show(job.id);
    expect(after.status).toBe('SUCCEEDED');
    expect(after.billableBytes).toBe(7 * smallModel.length);
    expect(after.federation.terminationCriteria).toMatchObject([{ isMet: true }, { isMet: false }, { isMet: false }]);
    expect(after.federation.aggregateModel).toMatchObject({
      stateDict: {
        tensors: [
          { name: 'weight', dtype: 'F32', shape: [2, 2], values: [1, 2, 3, 4] },
          { name: 'bias', dtype: 'F32', shape: [1], values: [0.5] },
        ],
      },
    });
    expect(after.federation.rounds).toMatchObject([
      { number: 1, status: 'SUCCEEDED', submitted: 2, isWeighted: true, metrics: { loss: 0.5 }, aggregateModel: { id: fragment.id } },
      { number: 2, status: 'SUCCEEDED', submitted: 2, isWeighted: false, metrics: {}, startModel: { id: fragment.id } },
    ]);
    expect(after.federation.rounds.map(({ participants }) => participants.map(({ status }) => status))).toEqual([
      ['SUBMITTED', 'SUBMITTED', 'LATE'],
      ['SUBMITTED', 'SUBMITTED', 'DROPPED'],
    ]);
    expect(nth(after.federation.rounds, 0).models).toHaveLength(3);
  });

  test('is refused, with the number of online devices, if too few are online', async () => {
    const input = { projectId: seed.project.id, name: 'Too many', federation: { numDevices: 40 } };
    const { createJob } = await ask<{ createJob: Record<string, unknown> }>(create, { input });
    expect(createJob).toMatchObject({
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      issues: [{ path: ['federation', 'numDevices'] }],
    });
  });

  test.each(['{}', '{ maxRounds: 1, maxDurationSeconds: 5 }', '{ maxRounds: null }'])(
    'takes one criterion at a time: not %s',
    async (criterion) => {
      const federation = `federation: { numDevices: 1, terminationCriteria: [${criterion}] }`;
      const question = ask(`mutation { createJob(input: { projectId: "${seed.project.id}", name: "No", ${federation} }) { __typename } }`);
      await expect(question).rejects.toThrow(/exactly one|non-null/i);
    },
  );

  test('records the sample count of a completed step, and refuses a model with other tensors by their names', async () => {
    const { job } = await fleet.createJob({ numDevices: 1 });
    const device = nth(await fleet.selected(job.id), 0);
    const claim = await fleet.claim(job.id, device);
    const complete = `mutation ($input: CompleteStepInput!) { completeStep(input: $input) { __typename
      ... on CompleteStepPayload { step { status } job { federation { currentRound { status submitted } } } } ... on InvalidInputError { issues { path message } } } }`;
    const asDevice = askAs(seed.domain, device.principal);
    const input = { leaseToken: claim.lease.token, numSamples: 12 };
    await fleet.upload(claim, device.principal, smallModel.subarray(0, -1));
    expect(await asDevice(complete, { input })).toMatchObject({
      completeStep: { __typename: 'InvalidInputError', issues: [{ path: ['leaseToken'], message: expect.stringContaining('bias') }] },
    });
    seed.clock.advance(1);
    await fleet.upload(claim, device.principal);
    expect(await asDevice(complete, { input })).toMatchObject({
      completeStep: { step: { status: 'SUCCEEDED' }, job: { federation: { currentRound: { status: 'AGGREGATING', submitted: 1 } } } },
    });
    expect((await fleet.readParticipants(job.id))[0]?.numSamples).toBe(12);
  });

  test('reports changes of its rounds in its live list and in its event stream', async () => {
    const { job } = await fleet.createJob({ numDevices: 1 });
    await fleet.train(job.id, 1);
    const round = `... on RoundChangedEvent { from to round { number status quorum } job { id } }`;
    const filter = { jobId: job.id, types: ['ROUND_CHANGED'] };
    const { events } = await ask<{ events: { events: unknown[] } }>(
      `query ($filter: EventFilter!) { events(filter: $filter) { events { __typename ${round} } } }`,
      { filter },
    );
    const change = (from: string | null, to: string) => ({
      __typename: 'RoundChangedEvent',
      from,
      to,
      round: { number: 1, status: 'AGGREGATING', quorum: 1 },
      job: { id: job.id },
    });
    expect(events.events).toEqual([change(null, 'TRAINING'), change('TRAINING', 'AGGREGATING')]);
    const stream = await watchAs(seed.domain, admin)<{ events: { state: string; events: { to: string }[] } }>(
      `subscription ($filter: EventFilter!) { events(filter: $filter) { state events { ${round} } } }`,
      { filter },
    );
    const heard: string[] = [];
    await fleet.aggregate(job.id);
    for (let frame = await stream.next(); frame; frame = await stream.next()) heard.push(...frame.events.events.map(({ to }) => to));
    expect(heard).toEqual(['TRAINING', 'AGGREGATING', 'SUCCEEDED']);
  });

  test('is null for a job that is not federated', async () => {
    const { job } = await seed.createJob(1);
    const { job: shown } = await ask<{ job: unknown }>(
      `query ($id: ID!) { job(id: $id) { federation { numDevices } steps { part round { number } } } }`,
      {
        id: job.id,
      },
    );
    expect(shown).toEqual({ federation: null, steps: [{ part: null, round: null }] });
  });

  describe('and a key', () => {
    test.each([
      ['that watches the job', (jobId: string) => keyOf({ kind: 'WATCH', jobId })],
      ['of the job', (jobId: string) => keyOf({ kind: 'JOB', jobId })],
      ['of a viewer', () => keyOf({ kind: 'USER', role: 'VIEWER', projectId: seed.project.id })],
      ['of a device', () => Promise.resolve(nth(fleet.devices, 0).principal)],
    ])('%s: sees the devices and their models', async (_, principalOf) => {
      const { job } = await fleet.createJob({ numDevices: 2 });
      await fleet.train(job.id, 1);
      const seen = await show(job.id, askAs(seed.domain, await principalOf(job.id)));
      expect(seen).toEqual(await show(job.id));
      expect(seen.federation.devices).toHaveLength(2);
      expect(seen.federation.models).toHaveLength(1);
    });

    test('that watches the job: sees only what a device did for the job', async () => {
      const { job } = await fleet.createJob({ numDevices: 1 });
      const device = nth(await fleet.train(job.id, 1), 0);
      await seed.claim(await seed.createJob([{ name: 'Run', pinnedDeviceId: device.device.id }]), 0, device);
      const watching = askAs(seed.domain, await keyOf({ kind: 'WATCH', jobId: job.id }));
      const answer = await watching(
        `query ($id: ID!, $device: ID!) { device(id: $device) { id } job(id: $id) { federation { devices { attempts { edges { node { step { job { id } } } } totalCount } } } } }`,
        { id: job.id, device: device.device.id },
      );
      expect(answer).toEqual({
        device: null,
        job: { federation: { devices: [{ attempts: { edges: [{ node: { step: { job: { id: job.id } } } }], totalCount: 1 } }] } },
      });
    });

    test('that watches the job: does not see the start file from another job, which the training devices see (P15)', async () => {
      const { domain, project } = seed;
      const { fragment: start } = await createFragment(domain, admin, {
        projectId: project.id,
        filename: 'start',
        type: 'MODEL',
        text: 'm',
      });
      const { job } = await fleet.createJob({ numDevices: 1, startModelFragmentId: start.id });
      const started = async (kind: 'WATCH' | 'JOB') => {
        const asKey = askAs(seed.domain, await keyOf({ kind, jobId: job.id }));
        const shown = await asKey<{ job: object }>(
          'query ($id: ID!) { job(id: $id) { federation { startModel { id } rounds { startModel { id } } } } }',
          { id: job.id },
        );
        return shown.job;
      };
      const there = { id: start.id };
      expect(await started('JOB')).toEqual({ federation: { startModel: there, rounds: [{ startModel: there }] } });
      expect(await started('WATCH')).toEqual({ federation: { startModel: null, rounds: [{ startModel: null }] } });
    });

    test('of another project or job: sees nothing', async () => {
      const { job } = await fleet.createJob({ numDevices: 1 });
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      const { job: other } = await seed.createJob(1);
      for (const key of [
        await keyOf({ kind: 'USER', role: 'EDITOR', projectId: project.id }),
        await keyOf({ kind: 'WATCH', jobId: other.id }),
      ])
        expect(await show(job.id, askAs(seed.domain, key))).toBeNull();
    });
  });

  test('leaves out devices and models that were deleted meanwhile, and shows the rest', async () => {
    const others = await Promise.all(['gone', 'stays'].map((name) => seed.registerDevice({ name, kind: 'EDGE' })));
    const everyone = { ...fleet, devices: [...fleet.devices, ...others] };
    const { job } = await fleet.createJob({ numDevices: everyone.devices.length });
    const rows = await fleet.readParticipants(job.id);
    const gone = nth(others, 0);
    const trained = [gone, nth(fleet.devices, 0)];
    const fragments: string[] = [];
    for (const device of trained) fragments.push((await fleet.handIn(await fleet.claim(job.id, device), device)).fragment.id);
    await deleteDevice(seed.domain, admin, { deviceId: gone.device.id });
    await deleteDevice(seed.domain, admin, { deviceId: nth(others, 1).device.id });
    await sweep(seed.domain);
    const failed = await show(job.id);
    expect(failed.status).toBe('FAILED');
    expect(failed.federation.devices).toHaveLength(rows.length - 2);
    expect(nth(failed.federation.rounds, 0).submitted).toBe(2);
    expect(failed.federation.models).toMatchObject([{ device: { name: nth(fleet.devices, 0).device.name } }]);
    await deleteFragment(seed.domain, admin, { fragmentId: nth(fragments, 1) });
    expect((await show(job.id)).federation.models).toEqual([]);
  });
});
