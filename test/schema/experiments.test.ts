/** Experiments, models and their versions, as a client sees them. */
import { beforeAll, describe, expect, test } from 'vitest';
import { cancelJob } from '../../src/domain/cancellation.ts';
import type { Claim } from '../../src/domain/claims.ts';
import { createExperiment } from '../../src/domain/experiments.ts';
import { createFragment, deleteFragment } from '../../src/domain/fragments.ts';
import type { CreateJobInput } from '../../src/domain/jobInput.ts';
import { deleteJob } from '../../src/domain/jobs.ts';
import { createApiKey } from '../../src/domain/keys.ts';
import { completeStep, failStep } from '../../src/domain/outcomes.ts';
import { reportMetrics } from '../../src/domain/progress.ts';
import { createProject, deleteProject } from '../../src/domain/projects.ts';
import { sweep } from '../../src/domain/timekeeping.ts';
import type { JobRow } from '../../src/store/tables.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { refusalOf } from '../support/ground.ts';
import { admin, plantSeed, type Seed } from '../support/seed.ts';
import { type Ask, askAs } from './ask.ts';

interface JobSeen {
  readonly id: string;
  readonly status: string;
  readonly startModel: { readonly id: string; readonly filename: string; readonly text: string | null } | null;
  readonly experiment: { readonly id: string } | null;
}

describeOnEachStore('experiments and models', (open) => {
  let seed: Seed;
  let ask: Ask;
  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
  });

  const readJob = async (id: string): Promise<JobSeen> =>
    (
      await ask<{ job: JobSeen }>('query ($id: ID!) { job(id: $id) { id status experiment { id } startModel { id filename text } } }', {
        id,
      })
    ).job;

  async function modelOfProject(text = 'start'): Promise<string> {
    const filename = `start ${Math.random()}.safetensors`;
    const { fragment } = await createFragment(seed.domain, admin, { projectId: seed.project.id, filename, type: 'MODEL', text });
    return fragment.id;
  }

  async function makeExperiment(startModelFragmentId: string | null = null): Promise<string> {
    const { experiment } = await createExperiment(seed.domain, admin, { projectId: seed.project.id, name: 'Queue', startModelFragmentId });
    return experiment.id;
  }

  const queue = async (experimentId: string, input: Partial<CreateJobInput> = {}) =>
    (await seed.createJob(1, { experimentId, name: 'Train', ...input })).job;

  /** Hands in a model, as the attempt would. */
  async function handIn({ lease }: Claim, job: JobRow, text: string): Promise<string> {
    const input = { jobId: job.id, leaseToken: lease.token, filename: 'model.safetensors', type: 'MODEL', text } as const;
    return (await createFragment(seed.domain, admin, input)).fragment.id;
  }

  /** Runs a job whose turn it is to its end; answers its model. */
  async function train(job: JobRow, text: string): Promise<string> {
    const claim = await seed.claim(job);
    const id = await handIn(claim, job, text);
    await completeStep(seed.domain, admin, { leaseToken: claim.lease.token });
    return id;
  }

  const seeExperiment = async (id: string) =>
    (
      await ask<{ experiment: unknown }>(
        `query ($id: ID!) { experiment(id: $id) { name startModel { id } currentModel { id } currentJob { id } jobs { totalCount nodes { id status } } } }`,
        { id },
      )
    ).experiment;

  describe('an experiment', () => {
    test('is made by createExperiment, and read by id, as a node and of its project', async () => {
      const startModelFragmentId = await modelOfProject();
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

    test('is refused a start that is no whole model of its project, naming the field', async () => {
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
        [pending, /not all here/],
      ] as const) {
        expect(await refusalOf(makeExperiment(startModelFragmentId))).toMatchObject({
          code: 'INVALID_INPUT',
          issues: [{ path: ['startModelFragmentId'], message: expect.stringMatching(message) }],
        });
      }
      const { createExperiment: refused } = await ask<{ createExperiment: object }>(
        `mutation { createExperiment(input: { projectId: "proj_00000000000000000000000000", name: "x" }) { __typename ... on Error { code } } }`,
      );
      expect(refused).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
    });

    test('runs its jobs one after the other, each from the model of the one before it (v7)', async () => {
      const start = await modelOfProject('zero');
      const id = await makeExperiment(start);
      const [first, second, third] = [await queue(id), await queue(id), await queue(id)];
      expect((await readJob(first.id)).startModel).toEqual({ id: start, filename: expect.any(String), text: 'zero' });
      expect(await readJob(second.id)).toMatchObject({ status: 'BLOCKED', startModel: null, experiment: { id } });
      expect(await seeExperiment(id)).toMatchObject({ currentJob: { id: first.id }, currentModel: { id: start } });
      const one = await train(first, 'one');
      expect(await readJob(second.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one, text: 'one' } });
      expect(await readJob(third.id)).toMatchObject({ status: 'BLOCKED', startModel: null });
      const two = await train(second, 'two');
      expect(await readJob(third.id)).toMatchObject({ status: 'QUEUED', startModel: { id: two, text: 'two' } });
      const three = await train(third, 'three');
      expect(await seeExperiment(id)).toMatchObject({
        startModel: { id: start },
        currentModel: { id: three },
        currentJob: null,
        jobs: { totalCount: 3, nodes: [third, second, first].map((job) => ({ id: job.id, status: 'SUCCEEDED' })) },
      });
      const late = await queue(id);
      expect(await readJob(late.id)).toMatchObject({ status: 'QUEUED', startModel: { id: three } });
    });

    test('says in the history of a job what it waited for', async () => {
      const id = await makeExperiment();
      const [first, second] = [await queue(id, { name: 'First' }), await queue(id)];
      await train(first, 'one');
      const { job } = await ask<{ job: { history: { transitions: object[] } } }>(
        'query ($id: ID!) { job(id: $id) { history { transitions { from to reason description } } } }',
        { id: second.id },
      );
      expect(job.history.transitions).toEqual([
        { from: null, to: 'BLOCKED', reason: 'BLOCKED_BY_JOB', description: '' },
        { from: 'BLOCKED', to: 'QUEUED', reason: 'COMPLETED', description: 'Job First before it has ended.' },
      ]);
    });

    test('passes over jobs that failed or were cancelled, and hands their start on', async () => {
      const id = await makeExperiment();
      const [first, failing, cancelled, last] = [await queue(id), await queue(id), await queue(id), await queue(id)];
      const one = await train(first, 'one');
      const claim = await seed.claim(failing);
      await handIn(claim, failing, 'of no use');
      await cancelJob(seed.domain, admin, { jobId: cancelled.id, cancelTimeoutSeconds: 30 });
      expect(await readJob(last.id)).toMatchObject({ status: 'BLOCKED' });
      await failStep(seed.domain, admin, { leaseToken: claim.lease.token });
      expect(await readJob(last.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one } });
      expect(await readJob(cancelled.id)).toMatchObject({ status: 'CANCELLED', startModel: null });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: { id: one }, currentJob: { id: last.id } });
    });

    test('hands the start on past a job that succeeded without a model', async () => {
      const id = await makeExperiment();
      const [first, silent, last] = [await queue(id), await queue(id), await queue(id)];
      const one = await train(first, 'one');
      await completeStep(seed.domain, admin, { leaseToken: (await seed.claim(silent)).lease.token });
      expect(await readJob(last.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one } });
    });

    test('takes the job whose schedule timeout comes for failed, and counts that of the next from its turn', async () => {
      const id = await makeExperiment();
      const [first, second] = [await queue(id, { scheduleTimeoutSeconds: 10 }), await queue(id, { scheduleTimeoutSeconds: 10 })];
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

    test('counts a deleted job in the middle no more: who has not begun starts from before it, its version stays', async () => {
      const id = await makeExperiment();
      const [first, second, third] = [await queue(id), await queue(id), await queue(id)];
      const one = await train(first, 'one');
      const two = await train(second, 'two');
      expect(await readJob(third.id)).toMatchObject({ startModel: { id: two } });
      await deleteJob(seed.domain, admin, { jobId: second.id });
      expect(await readJob(third.id)).toMatchObject({ status: 'QUEUED', startModel: { id: one, text: 'one' } });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: { id: one }, jobs: { totalCount: 2 } });
      const { fragment } = await ask<{ fragment: object }>('query ($id: ID!) { fragment(id: $id) { text job { id } } }', { id: two });
      expect(fragment).toEqual({ text: 'two', job: null });
      const three = await train(third, 'three');
      await deleteJob(seed.domain, admin, { jobId: first.id });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: { id: three } });
    });

    test('leaves to a job that has begun the file that it began with, whatever becomes of its job', async () => {
      const id = await makeExperiment();
      const [first, second] = [await queue(id, { type: 'VALIDATION' }), await queue(id)];
      const one = await train(first, 'one');
      await seed.claim(second);
      expect(await refusalOf(deleteFragment(seed.domain, admin, { fragmentId: one }))).toMatchObject({ code: 'INVALID_STATE' });
      await deleteJob(seed.domain, admin, { jobId: first.id });
      expect(await readJob(second.id)).toMatchObject({ status: 'RUNNING', startModel: { id: one, text: 'one' } });
      expect(await seeExperiment(id)).toMatchObject({ currentModel: null });
    });

    test('keeps the file that it starts from', async () => {
      const maker = (await seed.createJob(1, { type: 'CONVERSION' })).job;
      const made = await train(maker, 'made');
      const id = await makeExperiment(made);
      expect(await refusalOf(deleteFragment(seed.domain, admin, { fragmentId: made }))).toMatchObject({
        message: `Experiment ${id} starts from it.`,
      });
      await deleteJob(seed.domain, admin, { jobId: maker.id });
      expect((await readJob((await queue(id)).id)).startModel).toMatchObject({ id: made, text: 'made' });
    });

    test('takes none but the jobs of its own project, and lists find them by it', async () => {
      const id = await makeExperiment();
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      expect(await refusalOf(queue(id, { projectId: project.id }))).toMatchObject({ code: 'NOT_FOUND', id });
      const job = await queue(id);
      await seed.createJob(1);
      const { jobs } = await ask<{ jobs: object }>('query ($id: ID!) { jobs(filter: { experimentId: $id }) { totalCount nodes { id } } }', {
        id,
      });
      expect(jobs).toEqual({ totalCount: 1, nodes: [{ id: job.id }] });
    });

    test('lets one job start at a time, however many are put into it at once', async () => {
      const id = await makeExperiment();
      const all = await Promise.all(Array.from({ length: 8 }, () => queue(id)));
      const statuses = await Promise.all(all.map(async (job) => (await readJob(job.id)).status));
      expect(statuses.filter((status) => status === 'QUEUED')).toHaveLength(1);
      const order = all.map((job) => job.id).sort();
      // The ends of jobs and cancellations of others at the same moment leave one at the head of the queue.
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

  describe('a model', () => {
    const seeJob = async (id: string) =>
      (
        await ask<{
          job: {
            model: { id: string; name: string } | null;
            modelVersion: { id: string; number: number; fragment: { id: string } } | null;
          };
        }>(
          `query ($id: ID!) { job(id: $id) { billableBytes model { id name } modelVersion { id number fragment { id } } startModelVersion { id } } }`,
          { id },
        )
      ).job;

    test('is made of the model of a training job that succeeds, named after it (s5)', async () => {
      const { job } = await seed.createJob(1, { name: 'Digits classifier' });
      expect(await seeJob(job.id)).toMatchObject({ model: null, modelVersion: null });
      const fragment = await train(job, '12345');
      expect(await seeJob(job.id)).toEqual({
        billableBytes: 5,
        model: { id: expect.stringMatching(/^model_/), name: 'Digits classifier' },
        modelVersion: { id: expect.stringMatching(/^mver_/), number: 1, fragment: { id: fragment } },
        startModelVersion: null,
      });
    });

    test('grows by a version with each job that names it, and is read by id, as a node and of its project', async () => {
      const { job: first } = await seed.createJob(1, { name: 'Line' });
      const one = await train(first, 'one');
      const modelId = (await seeJob(first.id)).model?.id ?? '';
      const { job: second } = await seed.createJob(1, { name: 'Another name', modelId });
      expect(await seeJob(second.id)).toMatchObject({ model: { id: modelId, name: 'Line' }, modelVersion: null });
      const claim = await seed.claim(second);
      const two = await handIn(claim, second, 'two');
      await reportMetrics(seed.domain, admin, {
        leaseToken: claim.lease.token,
        metrics: [
          { name: 'loss', value: 0.5, iteration: 1 },
          { name: 'accuracy', value: 0.9, iteration: 1 },
        ],
      });
      await completeStep(seed.domain, admin, { leaseToken: claim.lease.token });
      const { model, node, project } = await ask<{ model: object; node: object; project: { models: { nodes: object[] } } }>(
        `query ($id: ID!, $versionId: ID!, $projectId: ID!) {
          model(id: $id) { name project { id } versions { totalCount nodes { number job { id } fragment { id text } metrics { name value } } } }
          node(id: $versionId) { ... on ModelVersion { number model { id } } }
          project(id: $projectId) { models(first: 1) { nodes { id } } }
        }`,
        { id: modelId, versionId: (await seeJob(second.id)).modelVersion?.id, projectId: seed.project.id },
      );
      expect(model).toEqual({
        name: 'Line',
        project: { id: seed.project.id },
        versions: {
          totalCount: 2,
          nodes: [
            {
              number: 2,
              job: { id: second.id },
              fragment: { id: two, text: 'two' },
              metrics: [
                { name: 'accuracy', value: 0.9 },
                { name: 'loss', value: 0.5 },
              ],
            },
            { number: 1, job: { id: first.id }, fragment: { id: one, text: 'one' }, metrics: [] },
          ],
        },
      });
      expect(node).toEqual({ number: 2, model: { id: modelId } });
      expect(project.models.nodes).toEqual([{ id: modelId }]);
    });

    test('numbers its versions without a gap when jobs end at the same moment', async () => {
      const { job: first } = await seed.createJob();
      await train(first, 'one');
      const modelId = (await seeJob(first.id)).model?.id ?? '';
      const jobs = await Promise.all(Array.from({ length: 6 }, async () => (await seed.createJob(1, { modelId })).job));
      await Promise.all(jobs.map((job, i) => train(job, String(i))));
      const numbers = await Promise.all(jobs.map(async (job) => (await seeJob(job.id)).modelVersion?.number ?? 0));
      expect(numbers.sort()).toEqual([2, 3, 4, 5, 6, 7]);
    });

    test('is not made of what is no training, of a job that fails, or of bytes that never came', async () => {
      const { job: validation } = await seed.createJob(1, { type: 'VALIDATION' });
      await train(validation, 'x');
      const { job: failing } = await seed.createJob();
      const claim = await seed.claim(failing);
      await handIn(claim, failing, 'x');
      await failStep(seed.domain, admin, { leaseToken: claim.lease.token });
      const { job: announcing } = await seed.createJob();
      const { lease } = await seed.claim(announcing);
      await createFragment(seed.domain, admin, { jobId: announcing.id, leaseToken: lease.token, filename: 'm.safetensors', type: 'MODEL' });
      await completeStep(seed.domain, admin, { leaseToken: lease.token });
      for (const { id } of [validation, failing, announcing]) expect(await seeJob(id)).toMatchObject({ model: null, modelVersion: null });
    });

    test('of another project, or that is not there, is refused', async () => {
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      const { job } = await seed.createJob(1, { projectId: project.id });
      await train(job, 'x');
      for (const modelId of [(await seeJob(job.id)).model?.id ?? '', 'model_00000000000000000000000000'])
        expect(await refusalOf(seed.createJob(1, { modelId }))).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['modelId'] }] });
    });

    test('keeps its versions when their jobs are deleted, and their files', async () => {
      const { job } = await seed.createJob();
      const fragmentId = await train(job, 'kept');
      const versionId = (await seeJob(job.id)).modelVersion?.id;
      expect(await refusalOf(deleteFragment(seed.domain, admin, { fragmentId }))).toMatchObject({ message: 'It is a version of a model.' });
      await deleteJob(seed.domain, admin, { jobId: job.id });
      const { node } = await ask<{ node: object }>(
        `query ($id: ID!) { node(id: $id) { ... on ModelVersion { number job { id } metrics { name } fragment { text downloadUrl job { id } project { id } } } } }`,
        { id: versionId },
      );
      expect(node).toEqual({
        number: 1,
        job: null,
        metrics: [],
        fragment: { text: 'kept', downloadUrl: expect.stringContaining(fragmentId), job: null, project: { id: seed.project.id } },
      });
    });

    test('goes with its project', async () => {
      const { project } = await createProject(seed.domain, admin, { name: 'Short' });
      const { job } = await seed.createJob(1, { projectId: project.id });
      await train(job, 'x');
      const modelId = (await seeJob(job.id)).model?.id;
      await deleteProject(seed.domain, admin, { projectId: project.id });
      expect(await ask('query ($id: ID!) { model(id: $id) { id } }', { id: modelId })).toEqual({ model: null });
    });
  });

  describe('a start model', () => {
    test('counts among the billable bytes, once', async () => {
      const id = await makeExperiment(await modelOfProject('1234567'));
      const [first, second] = [await queue(id), await queue(id)];
      await train(first, '12345');
      await train(second, '123');
      const bytes = async (jobId: string) =>
        (await ask<{ job: { billableBytes: number } }>('query ($id: ID!) { job(id: $id) { billableBytes } }', { id: jobId })).job
          .billableBytes;
      expect([await bytes(first.id), await bytes(second.id)]).toEqual([12, 8]);
    });

    test('is read by a step with the token of its lease, though another job made it (P15)', async () => {
      const id = await makeExperiment();
      const [first, second] = [await queue(id), await queue(id)];
      const one = await train(first, 'one');
      const device = await seed.registerDevice();
      const { lease } = await seed.claim(second, 0, device);
      const asLease = askAs(seed.domain, await seed.principalOf(lease.token));
      const seen = await asLease<{ job: object; fragment: null; experiment: null; node: null }>(
        `query ($id: ID!, $other: ID!, $experiment: ID!) {
          job(id: $id) { startModel { id text downloadUrl job { id } step { id } } experiment { hyperparameters jobs { totalCount nodes { id } } currentModel { id } } }
          fragment(id: $other) { id } experiment(id: $experiment) { id } node(id: $other) { id }
        }`,
        { id: second.id, other: one, experiment: id },
      );
      expect(seen).toEqual({
        job: {
          startModel: { id: one, text: 'one', downloadUrl: expect.any(String), job: null, step: null },
          experiment: { hyperparameters: {}, jobs: { totalCount: 1, nodes: [{ id: second.id }] }, currentModel: null },
        },
        fragment: null,
        experiment: null,
        node: null,
      });
    });
  });

  describe('a key', () => {
    test('of another project sees neither experiments nor models, and one of a job lists none (P15)', async () => {
      const id = await makeExperiment();
      const job = await queue(id);
      await train(job, 'x');
      const { job: watched } = await seed.createJob();
      const versionId = (await seed.readJob(job.id)).modelVersionId;
      const modelId = (await seed.readJob(job.id)).modelId;
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      const keys = [
        { name: 'other', kind: 'USER', role: 'ADMIN', projectId: project.id },
        { name: 'watch', kind: 'WATCH', jobId: watched.id },
      ] as const;
      for (const input of keys) {
        const { secret } = await createApiKey(seed.domain, admin, input);
        const asKey = askAs(seed.domain, await seed.principalOf(secret));
        const query = `query ($id: ID!, $modelId: ID!, $versionId: ID!) {
          experiment(id: $id) { id } model(id: $modelId) { id } node(id: $versionId) { id } jobs(filter: { experimentId: $id }) { totalCount }
        }`;
        expect(await asKey(query, { id, modelId, versionId })).toEqual({
          experiment: null,
          model: null,
          node: null,
          jobs: { totalCount: 0 },
        });
        if (input.kind !== 'WATCH') continue;
        const list = (field: string) => asKey(`query ($id: ID!) { project(id: $id) { ${field} { totalCount } } }`, { id: seed.project.id });
        await expect(list('models')).rejects.toThrow('FORBIDDEN');
        await expect(list('experiments')).rejects.toThrow('FORBIDDEN');
      }
    });

    test('of a viewer makes no experiment', async () => {
      const { secret } = await createApiKey(seed.domain, admin, { name: 'v', kind: 'USER', role: 'VIEWER', projectId: seed.project.id });
      const input = { projectId: seed.project.id, name: 'x' };
      expect(await refusalOf(createExperiment(seed.domain, await seed.principalOf(secret), input))).toMatchObject({ code: 'FORBIDDEN' });
    });
  });
});
