/** Models and their versions, the start models of jobs, and who may see them. */
import { beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/domain/access/key-changes.ts';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import { createFragment, deleteFragment } from '../../../src/domain/files/fragments.ts';
import { createExperiment } from '../../../src/domain/jobs/experiments.ts';
import { createProject, deleteProject } from '../../../src/domain/jobs/projects.ts';
import { deleteJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { refusalOf } from '../../support/ground.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';
import { type Training, trainingOn } from '../training.ts';

describeOnEachStore('models', (open) => {
  let seed: Seed;
  let ask: Ask;
  let training: Training;
  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    training = trainingOn(seed);
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

    test('is made from the model of a training job that succeeds, and named after it (s5)', async () => {
      const { job } = await seed.createJob(1, { name: 'Digits classifier' });
      expect(await seeJob(job.id)).toMatchObject({ model: null, modelVersion: null });
      const fragment = await training.train(job, '12345');
      expect(await seeJob(job.id)).toEqual({
        billableBytes: 5,
        model: { id: expect.stringMatching(/^model_/), name: 'Digits classifier' },
        modelVersion: { id: expect.stringMatching(/^mver_/), number: 1, fragment: { id: fragment } },
        startModelVersion: null,
      });
    });

    test('gains a version with each job that names it, and is read by id, as a node and through its project', async () => {
      const { job: first } = await seed.createJob(1, { name: 'Line' });
      const one = await training.train(first, 'one');
      const modelId = (await seeJob(first.id)).model?.id ?? '';
      const { job: second } = await seed.createJob(1, { name: 'Another name', modelId });
      expect(await seeJob(second.id)).toMatchObject({ model: { id: modelId, name: 'Line' }, modelVersion: null });
      const claim = await seed.claim(second);
      const two = await training.handIn(claim, second, 'two');
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
      await training.train(first, 'one');
      const modelId = (await seeJob(first.id)).model?.id ?? '';
      const jobs = await Promise.all(Array.from({ length: 6 }, async () => (await seed.createJob(1, { modelId })).job));
      await Promise.all(jobs.map((job, i) => training.train(job, String(i))));
      const numbers = await Promise.all(jobs.map(async (job) => (await seeJob(job.id)).modelVersion?.number ?? 0));
      expect(numbers.sort()).toEqual([2, 3, 4, 5, 6, 7]);
    });

    test('is not made from a job that is not a training, from a failed job, or from a file that was never uploaded', async () => {
      const { job: validation } = await seed.createJob(1, { type: 'VALIDATION' });
      await training.train(validation, 'x');
      const { job: failing } = await seed.createJob();
      const claim = await seed.claim(failing);
      await training.handIn(claim, failing, 'x');
      await failStep(seed.domain, admin, { leaseToken: claim.lease.token });
      const { job: announcing } = await seed.createJob();
      const { lease } = await seed.claim(announcing);
      await createFragment(seed.domain, admin, { jobId: announcing.id, leaseToken: lease.token, filename: 'm.safetensors', type: 'MODEL' });
      await completeStep(seed.domain, admin, { leaseToken: lease.token });
      for (const { id } of [validation, failing, announcing]) expect(await seeJob(id)).toMatchObject({ model: null, modelVersion: null });
    });

    test('of another project, or an unknown one, is refused', async () => {
      const { project } = await createProject(seed.domain, admin, { name: 'Other' });
      const { job } = await seed.createJob(1, { projectId: project.id });
      await training.train(job, 'x');
      for (const modelId of [(await seeJob(job.id)).model?.id ?? '', 'model_00000000000000000000000000'])
        expect(await refusalOf(seed.createJob(1, { modelId }))).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['modelId'] }] });
    });

    test('keeps its versions when their jobs are deleted, and their files', async () => {
      const { job } = await seed.createJob();
      const fragmentId = await training.train(job, 'kept');
      const versionId = (await seeJob(job.id)).modelVersion?.id;
      expect(await refusalOf(deleteFragment(seed.domain, admin, { fragmentId }))).toMatchObject({
        message: 'This fragment is a version of a model.',
      });
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

    test('is deleted with its project', async () => {
      const { project } = await createProject(seed.domain, admin, { name: 'Short' });
      const { job } = await seed.createJob(1, { projectId: project.id });
      await training.train(job, 'x');
      const modelId = (await seeJob(job.id)).model?.id;
      await deleteProject(seed.domain, admin, { projectId: project.id });
      expect(await ask('query ($id: ID!) { model(id: $id) { id } }', { id: modelId })).toEqual({ model: null });
    });
  });

  describe('a start model', () => {
    test('counts among the billable bytes, once', async () => {
      const id = await training.makeExperiment(await training.modelOfProject('1234567'));
      const [first, second] = [await training.queue(id), await training.queue(id)];
      await training.train(first, '12345');
      await training.train(second, '123');
      const bytes = async (jobId: string) =>
        (await ask<{ job: { billableBytes: number } }>('query ($id: ID!) { job(id: $id) { billableBytes } }', { id: jobId })).job
          .billableBytes;
      expect([await bytes(first.id), await bytes(second.id)]).toEqual([12, 8]);
    });

    test('is read by a step with the token of its lease, though another job made it (P15)', async () => {
      const id = await training.makeExperiment();
      const [first, second] = [await training.queue(id), await training.queue(id)];
      const one = await training.train(first, 'one');
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
      const id = await training.makeExperiment();
      const job = await training.queue(id);
      await training.train(job, 'x');
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

    test('that only watches a job does not see its start model (P15)', async () => {
      const id = await training.makeExperiment(await training.modelOfProject());
      const job = await training.queue(id);
      const { secret } = await createApiKey(seed.domain, admin, { name: 'watch', kind: 'WATCH', jobId: job.id });
      const asWatch = askAs(seed.domain, await seed.principalOf(secret));
      const { job: seen } = await asWatch<{ job: object }>(
        'query ($id: ID!) { job(id: $id) { startModel { id } experiment { startModel { id } } } }',
        {
          id: job.id,
        },
      );
      expect(seen).toEqual({ startModel: null, experiment: { startModel: null } });
    });

    test('of a viewer may not make an experiment', async () => {
      const { secret } = await createApiKey(seed.domain, admin, { name: 'v', kind: 'USER', role: 'VIEWER', projectId: seed.project.id });
      const input = { projectId: seed.project.id, name: 'x' };
      expect(await refusalOf(createExperiment(seed.domain, await seed.principalOf(secret), input))).toMatchObject({ code: 'FORBIDDEN' });
    });
  });
});
