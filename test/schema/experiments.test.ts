/** Experiments as a client sees them: the queue, and the model that each job passes to the next. */
import { beforeAll, describe, expect, test } from 'vitest';
import { completeStep, failStep } from '../../src/domain/claims/outcomes.ts';
import { createFragment, deleteFragment } from '../../src/domain/files/fragments.ts';
import { cancelJob } from '../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../src/domain/jobs/projects.ts';
import { deleteJob } from '../../src/domain/jobs/update.ts';
import { sweep } from '../../src/domain/sweep/timekeeping.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { refusalOf } from '../support/ground.ts';
import { admin, plantSeed, type Seed } from '../support/seed.ts';
import { type Ask, askAs } from './ask.ts';
import { type Training, trainingOn } from './training.ts';

interface JobSeen {
  readonly id: string;
  readonly status: string;
  readonly startModel: { readonly id: string; readonly filename: string; readonly text: string | null } | null;
  readonly experiment: { readonly id: string } | null;
}

describeOnEachStore('experiments', (open) => {
  let seed: Seed;
  let ask: Ask;
  let training: Training;
  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    training = trainingOn(seed);
  });

  const readJob = async (id: string): Promise<JobSeen> =>
    (
      await ask<{ job: JobSeen }>('query ($id: ID!) { job(id: $id) { id status experiment { id } startModel { id filename text } } }', {
        id,
      })
    ).job;

  const seeExperiment = async (id: string) =>
    (
      await ask<{ experiment: unknown }>(
        `query ($id: ID!) { experiment(id: $id) { name startModel { id } currentModel { id } currentJob { id } jobs { totalCount nodes { id status } } } }`,
        { id },
      )
    ).experiment;

  describe('an experiment', () => {
    test('is made by createExperiment, and read by id, as a node and through its project', async () => {
      const startModelFragmentId = await training.modelOfProject();
      const { createExperiment: made } = await ask<{ createExperiment: { experiment: { id: string } } }>(
        `mutation ($input: CreateExperimentInput!) { createExperiment(input: $input) { ... on CreateExperimentPayload {
          experiment { id name hyperparameters startModel { id } currentModel { id } currentJob { id } project { id } }
        } } }`,
        { input: { projectId: seed.project.id, name: 'Digits', hyperparameters: { lr: 0.1, layers: [3, 4] }, startModelFragmentId } },
      );
      const { id } = made.experiment;
      expect(made.experiment).toEqual({
        id: expect.stringMatching(/^exp_/),
        name: 'Digits',
        hyperparameters: { lr: 0.1, layers: [3, 4] },
        startModel: { id: startModelFragmentId },
        currentModel: { id: startModelFragmentId },
        currentJob: null,
        project: { id: seed.project.id },
      });
      const read = await ask<{ node: object; project: { experiments: { totalCount: number; nodes: { id: string }[] } } }>(
        `query ($id: ID!, $projectId: ID!) { node(id: $id) { __typename ... on Experiment { name } }
          project(id: $projectId) { experiments(first: 1) { totalCount nodes { id } } } }`,
        { id, projectId: seed.project.id },
      );
      expect(read.node).toEqual({ __typename: 'Experiment', name: 'Digits' });
      expect(read.project.experiments.nodes).toEqual([{ id }]);
    });

    test('is refused, naming the field, if it starts from anything but a complete model of its project', async () => {
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      const file = { filename: 'x.safetensors', type: 'MODEL' } as const;
      const foreign = (await createFragment(seed.domain, admin, { projectId: project.id, ...file, text: 'x' })).fragment.id;
      const data = { projectId: seed.project.id, filename: 'x.csv', type: 'DATA', text: 'x' } as const;
      const wrongType = (await createFragment(seed.domain, admin, data)).fragment.id;
      const pending = (await createFragment(seed.domain, admin, { projectId: seed.project.id, ...file })).fragment.id;
      for (const [startModelFragmentId, message] of [
        [foreign, /no fragment/],
        ['frag_00000000000000000000000000', /no fragment/],
        [wrongType, /of type DATA/],
        [pending, /upload of the fragment .* is not complete/],
      ] as const) {
        expect(await refusalOf(training.makeExperiment(startModelFragmentId))).toMatchObject({
          code: 'INVALID_INPUT',
          issues: [{ path: ['startModelFragmentId'], message: expect.stringMatching(message) }],
        });
      }
      const { createExperiment: refused } = await ask<{ createExperiment: object }>(
        `mutation { createExperiment(input: { projectId: "proj_00000000000000000000000000", name: "x" }) { __typename ... on Error { code } } }`,
      );
      expect(refused).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
    });

    test('runs its jobs in sequence, each from the model of the one before it (v7)', async () => {
      const start = await training.modelOfProject('zero');
      const id = await training.makeExperiment(start);
      const [first, second, third] = [await training.queue(id), await training.queue(id), await training.queue(id)];
      expect((await readJob(first.id)).startModel).toEqual({ id: start, filename: expect.any(String), text: 'zero' });
      expect(await readJob(second.id)).toMatchObject({ status: 'BLOCKED', startModel: null, experiment: { id } });
      expect(await seeExperiment(id)).toMatchObject({ currentJob: { id: first.id }, currentModel: { id: start } });
      const one = await training.train(first, 'one');
      expect(await readJob(second.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one, text: 'one' } });
      expect(await readJob(third.id)).toMatchObject({ status: 'BLOCKED', startModel: null });
      const two = await training.train(second, 'two');
      expect(await readJob(third.id)).toMatchObject({ status: 'QUEUED', startModel: { id: two, text: 'two' } });
      const three = await training.train(third, 'three');
      expect(await seeExperiment(id)).toMatchObject({
        startModel: { id: start },
        currentModel: { id: three },
        currentJob: null,
        jobs: { totalCount: 3, nodes: [third, second, first].map((job) => ({ id: job.id, status: 'SUCCEEDED' })) },
      });
      const late = await training.queue(id);
      expect(await readJob(late.id)).toMatchObject({ status: 'QUEUED', startModel: { id: three } });
    });

    test('shows in the history of a job what it waited for', async () => {
      const id = await training.makeExperiment();
      const [first, second] = [await training.queue(id, { name: 'First' }), await training.queue(id)];
      await training.train(first, 'one');
      const { job } = await ask<{ job: { history: { transitions: object[] } } }>(
        'query ($id: ID!) { job(id: $id) { history { transitions { from to reason description } } } }',
        { id: second.id },
      );
      expect(job.history.transitions).toEqual([
        { from: null, to: 'BLOCKED', reason: 'BLOCKED_BY_JOB', description: '' },
        { from: 'BLOCKED', to: 'QUEUED', reason: 'COMPLETED', description: 'Job First before it has ended.' },
      ]);
    });

    test('passes over failed and cancelled jobs, and the next job starts from their start', async () => {
      const id = await training.makeExperiment();
      const [first, failing, cancelled, last] = [
        await training.queue(id),
        await training.queue(id),
        await training.queue(id),
        await training.queue(id),
      ];
      const one = await training.train(first, 'one');
      const claim = await seed.claim(failing);
      await training.handIn(claim, failing, 'of no use');
      await cancelJob(seed.domain, admin, { jobId: cancelled.id, cancelTimeoutSeconds: 30 });
      expect(await readJob(last.id)).toMatchObject({ status: 'BLOCKED' });
      await failStep(seed.domain, admin, { leaseToken: claim.lease.token });
      expect(await readJob(last.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one } });
      expect(await readJob(cancelled.id)).toMatchObject({ status: 'CANCELLED', startModel: null });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: { id: one }, currentJob: { id: last.id } });
    });

    test('starts the next job from the same model if a job succeeded without one', async () => {
      const id = await training.makeExperiment();
      const [first, silent, last] = [await training.queue(id), await training.queue(id), await training.queue(id)];
      const one = await training.train(first, 'one');
      await completeStep(seed.domain, admin, { leaseToken: (await seed.claim(silent)).lease.token });
      expect(await readJob(last.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one } });
    });

    test('fails a job at its schedule timeout, and starts the timeout of the next at its turn', async () => {
      const id = await training.makeExperiment();
      const [first, second] = [
        await training.queue(id, { scheduleTimeoutSeconds: 10 }),
        await training.queue(id, { scheduleTimeoutSeconds: 10 }),
      ];
      seed.clock.advance(10_000);
      await sweep(seed.domain);
      expect([(await readJob(first.id)).status, (await readJob(second.id)).status]).toEqual(['FAILED', 'QUEUED']);
      seed.clock.advance(9_999);
      await sweep(seed.domain);
      expect((await readJob(second.id)).status).toBe('QUEUED');
      seed.clock.advance(1);
      await sweep(seed.domain);
      const { job } = await ask<{ job: object }>(
        'query ($id: ID!) { job(id: $id) { status history { reason transitions { from to reason } } steps { status } } }',
        { id: second.id },
      );
      expect(job).toEqual({
        status: 'FAILED',
        history: {
          reason: 'SCHEDULE_TIMEOUT',
          transitions: [
            { from: null, to: 'BLOCKED', reason: 'BLOCKED_BY_JOB' },
            { from: 'BLOCKED', to: 'QUEUED', reason: 'COMPLETED' },
            { from: 'QUEUED', to: 'FAILED', reason: 'SCHEDULE_TIMEOUT' },
          ],
        },
        steps: [{ status: 'SKIPPED' }],
      });
    });

    test('skips a deleted job: a job that has not begun starts from the model before it, and its version stays', async () => {
      const id = await training.makeExperiment();
      const [first, second, third] = [await training.queue(id), await training.queue(id), await training.queue(id)];
      const one = await training.train(first, 'one');
      const two = await training.train(second, 'two');
      expect(await readJob(third.id)).toMatchObject({ startModel: { id: two } });
      await deleteJob(seed.domain, admin, { jobId: second.id });
      expect(await readJob(third.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one, text: 'one' } });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: { id: one }, jobs: { totalCount: 2 } });
      const { fragment } = await ask<{ fragment: object }>('query ($id: ID!) { fragment(id: $id) { text job { id } } }', { id: two });
      expect(fragment).toEqual({ text: 'two', job: null });
      const three = await training.train(third, 'three');
      await deleteJob(seed.domain, admin, { jobId: first.id });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: { id: three } });
    });

    test('keeps the start file of a job that has begun, even if the job that made it is deleted', async () => {
      const id = await training.makeExperiment();
      const [first, second] = [await training.queue(id, { type: 'VALIDATION' }), await training.queue(id)];
      const one = await training.train(first, 'one');
      await seed.claim(second);
      expect(await refusalOf(deleteFragment(seed.domain, admin, { fragmentId: one }))).toMatchObject({ code: 'INVALID_STATE' });
      await deleteJob(seed.domain, admin, { jobId: first.id });
      expect(await readJob(second.id)).toMatchObject({ status: 'RUNNING', startModel: { id: one, text: 'one' } });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: null });
    });

    test('keeps the file that it starts from from being deleted', async () => {
      const maker = (await seed.createJob(1, { type: 'CONVERSION' })).job;
      const made = await training.train(maker, 'made');
      const id = await training.makeExperiment(made);
      expect(await refusalOf(deleteFragment(seed.domain, admin, { fragmentId: made }))).toMatchObject({
        message: `Experiment ${id} starts from this fragment.`,
      });
      await deleteJob(seed.domain, admin, { jobId: maker.id });
      expect((await readJob((await training.queue(id)).id)).startModel).toMatchObject({ id: made, text: 'made' });
    });

    test('takes only jobs of its own project, and lists of jobs filter by it', async () => {
      const id = await training.makeExperiment();
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      expect(await refusalOf(training.queue(id, { projectId: project.id }))).toMatchObject({ code: 'NOT_FOUND', id });
      const job = await training.queue(id);
      await seed.createJob(1);
      const { jobs } = await ask<{ jobs: object }>('query ($id: ID!) { jobs(filter: { experimentId: $id }) { totalCount nodes { id } } }', {
        id,
      });
      expect(jobs).toEqual({ totalCount: 1, nodes: [{ id: job.id }] });
    });

    test('starts one job at a time, however many are added to it at once', async () => {
      const id = await training.makeExperiment();
      const all = await Promise.all(Array.from({ length: 8 }, () => training.queue(id)));
      const statuses = await Promise.all(all.map(async (job) => (await readJob(job.id)).status));
      expect(statuses.filter((status) => status === 'QUEUED')).toHaveLength(1);
      const order = all.map((job) => job.id).sort();
      // Jobs that end and are cancelled at the same moment leave one at the head of the queue.
      const head = all.find((job) => job.id === order[0]);
      if (!head) throw new Error('There is a first one.');
      const { lease } = await seed.claim(head);
      await Promise.all([
        completeStep(seed.domain, admin, { leaseToken: lease.token }),
        ...order.slice(1, 4).map((jobId) => cancelJob(seed.domain, admin, { jobId, cancelTimeoutSeconds: 30 })),
      ]);
      expect(await Promise.all(order.map(async (jobId) => (await readJob(jobId)).status))).toEqual([
        'SUCCEEDED',
        ...['CANCELLED', 'CANCELLED', 'CANCELLED'],
        'QUEUED',
        ...['BLOCKED', 'BLOCKED', 'BLOCKED'],
      ]);
    });
  });
});
