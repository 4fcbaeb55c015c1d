/** What vergeai's client and its devices do, done by the operations in docs/moving/vergeai.md. */
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, f32 } from '../aggregator/models.ts';
import * as ask from './generated.ts';
import { nameStatuses, readWords } from './statuses.ts';
import { describeSystem, done, next, refused } from './system.ts';
import { type Device, edgeOf, modelOf, stateOf, type Turn } from './vergeai-edge.ts';

const now = () => expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
describeSystem('vergeai', (system) => {
  const edge = edgeOf(system);
  const { openProject, register, registerMany, uploadStartModel, createExperiment, create, created } = edge;
  const { get, roundsOf, waitFor, awaitTurn, turnOf, submit, chosen } = edge;

  test('v1: Job.create(project_id, experiment_id, device_selection_strategy, num_devices, num_buffer_devices, termination_criteria)', async () => {
    const projectId = await openProject();
    const devices = await registerMany(projectId, 5);
    await register(projectId, 'a worker', 'WORKER');
    await register(await openProject(), 'elsewhere');
    const experimentId = await createExperiment({ projectId, name: 'Digits' });
    const federation = {
      deviceSelectionStrategy: 'RANDOM' as const,
      numDevices: 2,
      numBufferDevices: 1,
      terminationCriteria: [],
      selectionSeed: 'seven',
    };
    const job = await created({ projectId, experimentId, federation });
    expect(job).toMatchObject({
      ...{ id: expect.stringMatching(/^job_/), status: 'QUEUED', nativeStatus: 'IN_PROGRESS', project: { id: projectId } },
      experiment: { id: experimentId },
      federation: { ...federation, startModel: null, aggregateModel: null, models: [] },
    });
    const ids = job.federation?.devices.map(({ id }) => id) ?? [];
    expect(new Set(ids).size).toBe(3);
    expect(devices.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
    // The same seed selects the same devices.
    const again = await created({ projectId, federation });
    expect(again.federation?.devices.map(({ id }) => id)).toEqual(ids);

    const tooMany = { numDevices: 5, numBufferDevices: 1 };
    expect(refused(await create({ projectId, federation: tooMany }))).toEqual({ code: 'INVALID_INPUT', issues: ['federation.numDevices'] });
    const wrong = { numDevices: 0, numBufferDevices: -1, terminationCriteria: [{ maxRounds: 0 }] };
    expect(refused(await create({ projectId, federation: wrong }))).toEqual({
      code: 'INVALID_INPUT',
      issues: ['federation.numDevices', 'federation.numBufferDevices', 'federation.terminationCriteria.0.maxRounds'],
    });

    // Rounds go on, each from the aggregate before, until a criterion holds.
    const rounds = await openProject();
    const [device] = (await registerMany(rounds, 1)) as [Device];
    const criteria = [{ maxRounds: 3 }, { metric: { metric: 'accuracy', operator: 'GTE' as const, threshold: 0.9 } }];
    const { id } = await created({ projectId: rounds, federation: { numDevices: 1, terminationCriteria: criteria } });
    expect((await get(id)).federation?.terminationCriteria.map(({ isMet }) => isMet)).toEqual([false, false]);
    for (const [round, accuracy] of [0.5, 0.95].entries()) {
      const turn = await turnOf(device);
      done(await submit(device, turn, modelOf([round, round], round), 10, [{ name: 'accuracy', value: accuracy }]));
    }
    expect((await waitFor(id, 'SUCCEEDED')).federation?.terminationCriteria.map(({ isMet }) => isMet)).toEqual([false, true]);
    const [first, second, ...more] = await roundsOf(id);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ number: 1, status: 'SUCCEEDED', startModel: null, metrics: { accuracy: 0.5 } });
    expect(second).toMatchObject({ number: 2, status: 'SUCCEEDED', startModel: first?.aggregateModel, metrics: { accuracy: 0.95 } });
    const timed = await created({ projectId: rounds, federation: { numDevices: 1, terminationCriteria: [{ maxDurationSeconds: 1 }] } });
    expect((await waitFor(timed.id, 'SUCCEEDED')).federation?.terminationCriteria).toMatchObject([{ isMet: true }]);
  });

  test('v2: Job.cancel(project_id, job_id)', async () => {
    const projectId = await openProject();
    const devices = await registerMany(projectId, 2);
    const idle = await created({ projectId, federation: { numDevices: 2 } });
    const cancel = async (jobId: string) => (await system.admin.ask(ask.CancelDocument, { jobId })).cancelJob;
    expect(done(await cancel(idle.id)).job).toEqual({ status: 'CANCELLED', nativeStatus: 'CANCELLED' });
    expect(refused(await cancel(idle.id))).toMatchObject({ code: 'INVALID_STATE', status: 'CANCELLED' });
    expect(refused(await cancel('job_00000000000000000000000000'))).toEqual({ code: 'NOT_FOUND' });

    const busy = await created({ projectId, federation: { numDevices: 2 } });
    const [device] = chosen(busy, devices) as [Device];
    const turn = await turnOf(device);
    expect(turn.jobId).toBe(busy.id);
    expect(done(await cancel(busy.id)).job).toEqual({ status: 'CANCELLING', nativeStatus: 'IN_PROGRESS' });
    expect(done((await device.caller.ask(ask.KeepOnDocument, turn)).renewLease).isCancelRequested).toBe(true);
    done((await device.caller.ask(ask.LetGoDocument, turn)).releaseStep);
    expect(await get(busy.id)).toMatchObject({ status: 'CANCELLED', nativeStatus: 'CANCELLED' });
    expect((await roundsOf(busy.id)).map(({ status, participants }) => [status, participants.map((one) => one.status)])).toEqual([
      ['CANCELLED', ['DROPPED', 'DROPPED']],
    ]);
  });

  test('v3: Job.get: status, devices, aggregate model, start model, configuration, models by device, billable size, created, project, experiment', async () => {
    const projectId = await openProject();
    const devices = await registerMany(projectId, 2);
    const start = modelOf([0, 0], 0);
    const startModelFragmentId = await uploadStartModel(projectId, start);
    const experimentId = await createExperiment({ projectId, name: 'Digits', startModelFragmentId });
    const { id } = await created({ projectId, experimentId, federation: { numDevices: 2, selectionSeed: 'seven' } });
    const startModel = {
      id: startModelFragmentId,
      filename: 'start.safetensors',
      sizeBytes: start.length,
      downloadUrl: expect.any(String),
    };
    const before = await get(id);
    const known = {
      ...{ id, createdAt: now(), project: { id: projectId }, experiment: { id: experimentId } },
      federation: {
        ...{ deviceSelectionStrategy: 'RANDOM', numDevices: 2, numBufferDevices: 0, selectionSeed: 'seven', terminationCriteria: [] },
        devices: expect.arrayContaining(devices.map((device) => ({ id: device.id, name: expect.stringMatching(/^phone-\d$/) }))),
        startModel,
      },
    };
    expect(before).toEqual({
      ...{ ...known, status: 'QUEUED', nativeStatus: 'IN_PROGRESS', billableBytes: start.length },
      federation: { ...known.federation, aggregateModel: null, models: [] },
    });

    const [one, two] = chosen(before, devices) as [Device, Device];
    done(await submit(one, await turnOf(one), modelOf([1, 2], 0), 10));
    const midway = await get(id);
    expect(midway).toMatchObject({ status: 'RUNNING', nativeStatus: 'IN_PROGRESS', billableBytes: 2 * start.length });
    expect(midway.federation?.models).toMatchObject([{ device: { id: one.id }, numSamples: 10, isLate: false }]);
    done(await submit(two, await turnOf(two), modelOf([3, 4], 1), 30));
    const after = await waitFor(id, 'SUCCEEDED');
    const aggregateModel = {
      id: expect.stringMatching(/^frag_/),
      filename: expect.any(String),
      sizeBytes: expect.any(Number),
      downloadUrl: expect.any(String),
    };
    const fragment = { ...aggregateModel, sizeBytes: start.length };
    expect(after).toEqual({
      ...{ ...known, status: 'SUCCEEDED', nativeStatus: 'COMPLETED' },
      billableBytes: 3 * start.length + (after.federation?.aggregateModel?.sizeBytes ?? 0),
      federation: {
        ...{ ...known.federation, aggregateModel },
        models: [
          { device: { id: one.id }, fragment, numSamples: 10, isLate: false },
          { device: { id: two.id }, fragment, numSamples: 30, isLate: false },
        ],
      },
    });
  });

  test('v4: Job.get_aggregate_model: state dictionary', async () => {
    const projectId = await openProject();
    const devices = await registerMany(projectId, 2);
    const aggregate = async (samples: readonly (number | null)[]) => {
      const job = await created({ projectId, federation: { numDevices: 2 } });
      for (const [i, device] of chosen(job, devices).entries())
        done(await submit(device, await turnOf(device), modelOf(i === 0 ? [1, -2] : [3, 6], i), samples[i] ?? null));
      await waitFor(job.id, 'SUCCEEDED');
      return job.id;
    };
    const read = async (jobId: string, tensors?: string[]) =>
      (await system.admin.ask(ask.GetAggregateModelDocument, { jobId, tensors: tensors ?? null })).job?.federation?.aggregateModel;

    // One device saw three times as many samples as the other.
    const weighted = await aggregate([10, 30]);
    const model = await read(weighted);
    expect(model?.stateDict).toEqual(stateOf([2.5, 4], 0.75));
    const { tensors } = decodeModel(Buffer.from(await (await system.get(model?.downloadUrl)).arrayBuffer()));
    const { tensors: expected } = decodeModel(modelOf([2.5, 4], 0.75));
    expect(tensors).toEqual(expected);
    expect((await read(weighted, ['bias']))?.stateDict?.tensors.map(({ name, values }) => [name, values])).toEqual([['bias', [0.75]]]);
    expect((await roundsOf(weighted)).map(({ isWeighted }) => isWeighted)).toEqual([true]);

    // One device gave no number, so all count the same.
    const unweighted = await aggregate([10, null]);
    expect((await read(unweighted))?.stateDict).toEqual(stateOf([2, 2], 0.5));
    expect((await roundsOf(unweighted)).map(({ isWeighted }) => isWeighted)).toEqual([false]);
  });

  test('v5: Job.get_start_model: state dictionary', async () => {
    const projectId = await openProject();
    await registerMany(projectId, 1);
    const startModelFragmentId = await uploadStartModel(projectId, modelOf([0.5, -0.25], 8));
    const { id } = await created({ projectId, federation: { numDevices: 1, startModelFragmentId } });
    const { job } = await system.admin.ask(ask.GetStartModelDocument, { jobId: id });
    expect(job?.federation?.startModel?.stateDict).toEqual(stateOf([0.5, -0.25], 8));
    const file = Buffer.from(await (await system.get(job?.federation?.startModel?.downloadUrl)).arrayBuffer());
    expect(file.equals(modelOf([0.5, -0.25], 8))).toBe(true);
    const none = await created({ projectId, federation: { numDevices: 1 } });
    expect((await system.admin.ask(ask.GetStartModelDocument, { jobId: none.id })).job?.federation).toEqual({ startModel: null });
    const missing = { numDevices: 1, startModelFragmentId: 'frag_00000000000000000000000000' };
    expect(refused(await create({ projectId, federation: missing }))).toEqual({
      ...{ code: 'INVALID_INPUT', issues: ['federation.startModelFragmentId'] },
    });
  });

  test('v6: a device registers, learns that it is chosen, submits its model', async () => {
    const projectId = await openProject();
    const devices = await registerMany(projectId, 3);
    const [watcher] = devices as [Device];
    const counts = watcher.caller.watch(ask.ChosenDocument, { deviceId: watcher.id });
    expect(await next(counts)).toBe(0);
    const waiting = devices.map((device) => awaitTurn(device));
    const start = modelOf([1, 1], 1);
    // A worker of the test aggregates, so the test decides how long that takes.
    const worker = await register(projectId, 'a worker', 'WORKER');
    const federation = {
      ...{ numDevices: 2, numBufferDevices: 1, startModelFragmentId: await uploadStartModel(projectId, start) },
      aggregateContainer: { command: 'python mean.py' },
    };
    const { id } = await created({ projectId, federation });
    const turns = await Promise.all(waiting);
    expect(turns.map((turn) => turn?.jobId)).toEqual([id, id, id]);
    const [first, second, third] = turns as [Turn, Turn, Turn];
    const [one, two, three] = devices as [Device, Device, Device];
    expect(Buffer.from(await (await system.get(first.startModel)).arrayBuffer()).equals(start)).toBe(true);

    // A wrong model is refused with the names of the wrong tensors, and the device can try again.
    const pathsOf = { code: 'INVALID_INPUT', issues: expect.arrayContaining(['leaseToken']) };
    const oddOne = await submit(one, first, encodeModel({ weights: f32([1, 1, 1]), bias: f32([1], [1, 1]) }), 10);
    expect(refused(oddOne)).toEqual(pathsOf);
    expect(oddOne).toMatchObject({ message: expect.stringContaining('weights') });
    const notANumber = await submit(one, first, modelOf([1, 1], Number.NaN), 10);
    expect(refused(notANumber)).toEqual(pathsOf);
    expect(notANumber).toMatchObject({ message: expect.stringContaining('bias') });
    expect((await get(id)).federation?.models).toEqual([]);
    done(await submit(one, first, modelOf([2, 2], 2), 10));
    done(await submit(two, second, modelOf([4, 4], 4), 10));
    const statuses = async () => {
      const [round] = await roundsOf(id);
      return devices.map(({ id }) => round?.participants.find(({ device }) => device.id === id)?.status);
    };
    expect(await statuses()).toEqual(['SUBMITTED', 'SUBMITTED', 'TRAINING']);

    // The third device was a spare: it is told to stop. A model that it still submits is kept, but
    // not counted.
    expect(done((await three.caller.ask(ask.KeepOnDocument, third)).renewLease).isCancelRequested).toBe(true);
    done(await submit(three, third, modelOf([8, 8], 8), 10));
    expect(await statuses()).toEqual(['SUBMITTED', 'SUBMITTED', 'LATE']);
    const models = (await get(id)).federation?.models.map(({ device, isLate }) => [device.id, isLate]);
    expect(new Map(models as [string, boolean][])).toEqual(
      new Map([
        [one.id, false],
        [two.id, false],
        [three.id, true],
      ]),
    ); // pairs, as mapped above
    expect(await roundsOf(id)).toMatchObject([{ number: 1, status: 'AGGREGATING', quorum: 2, submitted: 2 }]);
    done(await submit(worker, await turnOf(worker), modelOf([3, 3], 3), null));
    expect(await get(id)).toMatchObject({ status: 'SUCCEEDED', nativeStatus: 'COMPLETED' });
    const late = (await three.caller.ask(ask.SubmitModelDocument, { ...third, filename: 'once-more.safetensors' })).createFragment;
    expect(refused(late)).toEqual({ code: 'STALE_LEASE' });

    // Too few devices are left: the round and its job fail.
    const failing = await created({ projectId, federation: { ...federation, numBufferDevices: 0 } });
    const [dropped] = chosen(failing, devices) as [Device];
    const turn = await turnOf(dropped);
    done((await dropped.caller.ask(ask.CannotDocument, { leaseToken: turn.leaseToken, description: 'no battery' })).failStep);
    const { job } = await system.admin.ask(ask.GetRoundsDocument, { jobId: failing.id });
    expect(job).toMatchObject({
      status: 'FAILED',
      history: { reason: 'QUORUM_UNREACHABLE' },
      federation: { rounds: [{ status: 'FAILED' }] },
    });
  });

  test("v7: an experiment is an ordered queue of jobs: a job's result is the next one's start; one that is cancelled or fails is skipped", async () => {
    const projectId = await openProject();
    const [device] = (await registerMany(projectId, 1)) as [Device];
    const start = await uploadStartModel(projectId, modelOf([0, 0], 0));
    const experimentId = await createExperiment({ projectId, name: 'Digits', hyperparameters: { rate: 0.1 }, startModelFragmentId: start });
    const jobs: string[] = [];
    for (let i = 0; i < 4; i++) jobs.push((await created({ projectId, experimentId, federation: { numDevices: 1 } })).id);
    const [one = '', two = '', three = '', four = ''] = jobs;
    const read = async () => {
      const { experiment } = await system.admin.ask(ask.GetExperimentDocument, { id: experimentId });
      if (!experiment) throw new Error('The experiment is gone.');
      const jobOf = (id: string) => experiment.jobs.nodes.find((job) => job.id === id);
      return {
        ...experiment,
        statuses: jobs.map((id) => jobOf(id)?.status),
        startOf: (id: string) => jobOf(id)?.federation?.startModel?.id,
      };
    };
    let experiment = await read();
    expect(experiment).toMatchObject({
      name: 'Digits',
      hyperparameters: { rate: 0.1 },
      startModel: { id: start },
      currentModel: { id: start },
    });
    expect(experiment.statuses).toEqual(['QUEUED', 'BLOCKED', 'BLOCKED', 'BLOCKED']);
    expect(experiment.currentJob).toEqual({ id: one });
    expect([experiment.startOf(one), experiment.startOf(two)]).toEqual([start, undefined]);

    done(await submit(device, await turnOf(device), modelOf([1, 1], 1), 1));
    await waitFor(one, 'SUCCEEDED');
    experiment = await read();
    const result = (await get(one)).federation?.aggregateModel?.id;
    expect(experiment.statuses).toEqual(['SUCCEEDED', 'QUEUED', 'BLOCKED', 'BLOCKED']);
    expect(experiment).toMatchObject({ currentModel: { id: result }, currentJob: { id: two } });
    expect(experiment.startOf(two)).toBe(result);
    expect((await system.admin.ask(ask.GetStartModelDocument, { jobId: two })).job?.federation?.startModel?.stateDict).toEqual(
      stateOf([1, 1], 1),
    );

    // One job is cancelled in the queue, one when its turn has come: the model passes both.
    done((await system.admin.ask(ask.CancelDocument, { jobId: three })).cancelJob);
    expect((await read()).statuses).toEqual(['SUCCEEDED', 'QUEUED', 'CANCELLED', 'BLOCKED']);
    done((await system.admin.ask(ask.CancelDocument, { jobId: two })).cancelJob);
    experiment = await read();
    expect(experiment.statuses).toEqual(['SUCCEEDED', 'CANCELLED', 'CANCELLED', 'QUEUED']);
    expect(experiment).toMatchObject({ currentModel: { id: result }, currentJob: { id: four } });
    expect(experiment.startOf(four)).toBe(result);
    const turn = await turnOf(device);
    expect(turn.jobId).toBe(four);
    expect(decodeModel(Buffer.from(await (await system.get(turn.startModel)).arrayBuffer())).tensors).toEqual(
      decodeModel(modelOf([1, 1], 1)).tensors,
    );
  });

  test('statuses: in the words of vergeai', async () => {
    expect(await nameStatuses(system, 'VERGEAI')).toEqual({
      BLOCKED: 'INITIALIZED',
      QUEUED: 'INITIALIZED',
      RUNNING: 'IN_PROGRESS',
      SUSPENDED: 'IN_PROGRESS',
      CANCELLING: 'IN_PROGRESS',
      SUCCEEDED: 'COMPLETED',
      FAILED: 'CANCELLED',
      CANCELLED: 'CANCELLED',
    });

    // A federated job is in progress from its creation. A worker of the test aggregates, so the
    // test decides how long that takes.
    const projectId = await openProject();
    const [device] = (await registerMany(projectId, 1)) as [Device];
    const worker = await register(projectId, 'a worker', 'WORKER');
    const { id } = await created({ projectId, federation: { numDevices: 1, aggregateContainer: { command: 'python mean.py' } } });
    expect(await readWords(system, id, 'VERGEAI')).toEqual(['QUEUED', 'IN_PROGRESS']);
    const training = await turnOf(device);
    expect(await readWords(system, id, 'VERGEAI')).toEqual(['RUNNING', 'IN_PROGRESS']);
    done(await submit(device, training, modelOf([1, 1], 1), 1));
    const aggregating = await turnOf(worker);
    expect(await readWords(system, id, 'VERGEAI')).toEqual(['RUNNING', 'AGGREGATION_IN_PROGRESS']);
    done(await submit(worker, aggregating, modelOf([1, 1], 1), null));
    expect(await readWords(system, id, 'VERGEAI')).toEqual(['SUCCEEDED', 'COMPLETED']);
  });
});
