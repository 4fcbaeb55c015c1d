/** The catalogue through the schema: applications, and what jobs made from them show. */
import { beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../../src/domain/access/key-changes.ts';
import { cancelJob } from '../../src/domain/jobs/cancellation.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { admin, plantSeed, type Seed } from '../support/seed.ts';
import { type Ask, askAs } from './ask.ts';

const errors = '... on Error { code message } ... on InvalidInputError { issues { path message } }';
const fields = `id name description supportsContinualTraining settingsSchema createdAt updatedAt
  itemDefinitions { name label description valueType defaultValue options isRequired }
  container { image resources { gpu } }`;
const create = `mutation ($input: CreateApplicationInput!) { createApplication(input: $input) {
  __typename ${errors} ... on AlreadyExistsError { existingId } ... on CreateApplicationPayload { application { ${fields} } } } }`;
const update = `mutation ($input: UpdateApplicationInput!) { updateApplication(input: $input) {
  __typename ${errors} ... on UpdateApplicationPayload { application { ${fields} } } } }`;
const remove = `mutation ($id: ID!) { deleteApplication(input: { applicationId: $id }) {
  __typename ... on Error { code message } ... on DeleteApplicationPayload { deletedApplicationId } } }`;
const createJob = `mutation ($input: CreateJobInput!) { createJob(input: $input) { __typename ${errors} ... on CreateJobPayload { job {
  id settings settingsSources settingsWarnings application { id name } container { image }
  items { name value typedValue defaultValue valueType label source } } } } }`;

interface Made {
  application: { id: string; name: string };
}

describeOnEachStore('the catalogue of applications', (open) => {
  let seed: Seed;
  let ask: Ask;
  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
  });

  const add = async (input: object) => (await ask<{ createApplication: Made }>(create, { input })).createApplication;
  const addJob = async (input: object) =>
    (
      await ask<{ createJob: { job: { id: string } } }>(createJob, {
        input: { projectId: seed.project.id, name: 'A job', ...input },
      })
    ).createJob;

  const resnet = {
    description: 'Tells cats from dogs',
    supportsContinualTraining: true,
    itemDefinitions: [
      { name: 'image_size', label: 'Image Size', valueType: 'NUMBER', isRequired: true },
      { name: 'arch', description: 'The network', valueType: 'MULTI', options: ['resnet34', 'resnet50'], defaultValue: 'resnet34' },
    ],
    settingsSchema: { properties: { rate: { type: 'number', default: 0.1 }, seed: { type: 'integer' } } },
    container: { image: 'train:1', resources: { gpu: 1 } },
  };

  test('stores an application and shows it as it was given', async () => {
    const made = await add({ name: 'resnet', ...resnet });
    const shown = {
      __typename: 'CreateApplicationPayload',
      application: {
        name: 'resnet',
        description: 'Tells cats from dogs',
        supportsContinualTraining: true,
        settingsSchema: resnet.settingsSchema,
        itemDefinitions: [
          { ...resnet.itemDefinitions[0], description: null, defaultValue: null, options: [] },
          { ...resnet.itemDefinitions[1], label: null, isRequired: false },
        ],
        container: { image: 'train:1', resources: { gpu: 1 } },
      },
    };
    expect(made).toMatchObject(shown);
    const { application, node } = await ask<Record<string, object>>(
      `query ($id: ID!) { application(id: $id) { ${fields} } node(id: $id) { __typename id } }`,
      { id: made.application.id },
    );
    expect(application).toEqual(made.application);
    expect(node).toEqual({ __typename: 'Application', id: made.application.id });
  });

  test('refuses a wrong application, and a name that is taken', async () => {
    expect(await add({ name: 'odd', itemDefinitions: [{ name: 'a', valueType: 'INT', defaultValue: 'x' }] })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['itemDefinitions', '0', 'defaultValue'], message: 'must be a whole number.' }],
    });
    const { application } = await add({ name: 'taken' });
    expect(await add({ name: 'taken' })).toMatchObject({ __typename: 'AlreadyExistsError', existingId: application.id });
  });

  test('changes an application and deletes it', async () => {
    const { application } = await add({ name: 'fleeting', description: 'as it was' });
    const { updateApplication } = await ask<Record<string, object>>(update, {
      input: { applicationId: application.id, name: 'gone soon' },
    });
    expect(updateApplication).toMatchObject({ application: { name: 'gone soon', description: 'as it was', itemDefinitions: [] } });
    expect(await ask(remove, { id: application.id })).toEqual({
      deleteApplication: { __typename: 'DeleteApplicationPayload', deletedApplicationId: application.id },
    });
    expect(await ask(remove, { id: application.id })).toMatchObject({ deleteApplication: { __typename: 'NotFoundError' } });
    expect(await ask('query ($id: ID!) { application(id: $id) { id } }', { id: application.id })).toEqual({ application: null });
  });

  test('lists applications in pages, newest first', async () => {
    const names = ['page 1', 'page 2', 'page 3'];
    for (const name of names) await add({ name });
    interface Page {
      applications: { nodes: { name: string }[]; totalCount: number; pageInfo: { endCursor: string } };
    }
    const list = 'query ($after: String) { applications(first: 2, after: $after) { nodes { name } totalCount pageInfo { endCursor } } }';
    const first = (await ask<Page>(list)).applications;
    const second = (await ask<Page>(list, { after: first.pageInfo.endCursor })).applications;
    expect([...first.nodes, ...second.nodes].map(({ name }) => name).slice(0, 3)).toEqual(names.toReversed());
    const { applications: all } = await ask<Page>('{ applications(first: 100) { nodes { name } totalCount pageInfo { endCursor } } }');
    expect(first.totalCount).toBe(all.nodes.length);
  });

  describe('shows for a job', () => {
    test('its application, its items and settings, and the origin of each', async () => {
      const { application } = await add({ name: 'shown', ...resnet });
      const made = await addJob({
        applicationId: application.id,
        items: [{ name: 'image_size', value: '0224' }],
        settings: { other: { deep: 1 } },
        settingsOverrides: [{ path: 'seed', value: 3 }],
      });
      expect(made).toMatchObject({
        job: {
          application: { id: application.id, name: 'shown' },
          container: { image: 'train:1' },
          settings: { rate: 0.1, seed: 3, other: { deep: 1 } },
          settingsSources: { rate: 'DEFAULT', seed: 'OVERRIDE', 'other.deep': 'GIVEN' },
          settingsWarnings: ['other'],
          items: [
            {
              name: 'image_size',
              value: '224',
              typedValue: 224,
              defaultValue: null,
              valueType: 'NUMBER',
              label: 'Image Size',
              source: 'GIVEN',
            },
            { name: 'arch', value: 'resnet34', typedValue: 'resnet34', defaultValue: 'resnet34', valueType: 'MULTI', source: 'DEFAULT' },
          ],
        },
      });
    });

    test('a refusal that names the item or the setting', async () => {
      const { application } = await add({ name: 'strict', ...resnet });
      const refused = await addJob({
        applicationId: application.id,
        items: [
          { name: 'image_size', value: 'large' },
          { name: 'arch', value: 'vgg' },
        ],
        settings: { rate: 'fast' },
      });
      expect(refused).toMatchObject({
        __typename: 'InvalidInputError',
        issues: [{ path: ['items', '0', 'value'] }, { path: ['items', '1', 'value'] }, { path: ['settings', 'rate'] }],
      });
      expect(await addJob({ applicationId: 'app_00000000000000000000000000' })).toMatchObject({ __typename: 'NotFoundError' });
    });

    test('no application once that is deleted, but everything that it ran with', async () => {
      const { application } = await add({ name: 'short-lived', ...resnet });
      const { job } = await addJob({ applicationId: application.id, items: [{ name: 'image_size', value: '1' }] });
      expect(await ask(remove, { id: application.id })).toMatchObject({ deleteApplication: { __typename: 'InvalidStateError' } });
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
      await ask(remove, { id: application.id });
      expect(
        await ask('query ($id: ID!) { job(id: $id) { application { id } settings items { name } container { image } } }', job),
      ).toEqual({
        job: {
          application: null,
          settings: { rate: 0.1 },
          items: [{ name: 'image_size' }, { name: 'arch' }],
          container: { image: 'train:1' },
        },
      });
    });

    test('that a filter by application finds it', async () => {
      const { application } = await add({ name: 'filtered' });
      const { job } = await addJob({ applicationId: application.id });
      await addJob({});
      const list = 'query ($id: ID!) { jobs(filter: { applicationId: $id }) { nodes { id } totalCount } }';
      expect(await ask(list, { id: application.id })).toEqual({ jobs: { nodes: [{ id: job.id }], totalCount: 1 } });
      expect(await ask(list, { id: 'a\0b' })).toEqual({ jobs: { nodes: [], totalCount: 0 } });
    });

    test('its status in the terms of each system', async () => {
      const { job } = await addJob({});
      const native =
        'query ($id: ID!) { job(id: $id) { v: nativeStatus(dialect: VERGEAI) s: nativeStatus(dialect: SEEME) n: nativeStatus(dialect: NEUROMATION) m: nativeStatus(dialect: MLCYCLE) } }';
      expect(await ask(native, job)).toEqual({ job: { v: 'INITIALIZED', s: 'WAITING', n: 'PENDING', m: '21' } });
      await seed.claim(await seed.readJob(job.id));
      expect(await ask(native, job)).toEqual({ job: { v: 'IN_PROGRESS', s: 'STARTED', n: 'RUNNING', m: '1' } });
    });
  });

  describe('lets keys', () => {
    const principalOf = async (key: Parameters<typeof createApiKey>[2]) =>
      seed.principalOf((await createApiKey(seed.domain, admin, key)).secret);

    test('of one project read it and make jobs from it, but not change it (P15)', async () => {
      const { application } = await add({ name: 'for all' });
      const editor = askAs(seed.domain, await principalOf({ name: 'editor', kind: 'USER', role: 'EDITOR', projectId: seed.project.id }));
      const { applications } = await editor<{ applications: { nodes: object[] } }>('{ applications { nodes { id } } }');
      expect(applications.nodes).toContainEqual({ id: application.id });
      const input = { projectId: seed.project.id, name: 'A job', applicationId: application.id };
      expect(await editor(createJob, { input })).toMatchObject({ createJob: { job: { application: { name: 'for all' } } } });
      await expect(editor(remove, { id: application.id })).rejects.toThrow('FORBIDDEN');
    });

    test('of kind WATCH see nothing of it (P15)', async () => {
      const { application } = await add({ name: 'not for all' });
      const { job } = await addJob({ applicationId: application.id });
      const watcher = askAs(seed.domain, await principalOf({ name: 'link', kind: 'WATCH', jobId: job.id }));
      await expect(watcher('{ applications { nodes { id } } }')).rejects.toThrow('FORBIDDEN');
      expect(
        await watcher('query ($id: ID!, $job: ID!) { application(id: $id) { id } job(id: $job) { name application { id } } }', {
          id: application.id,
          job: job.id,
        }),
      ).toEqual({ application: null, job: { name: 'A job', application: null } });
    });
  });
});
