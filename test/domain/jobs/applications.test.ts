/** Applications, and what jobs take from them. */
import { eq } from 'drizzle-orm';
import { beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/domain/access/key-changes.ts';
import {
  type CreateApplicationInput,
  createApplication,
  deleteApplication,
  type ItemDefinitionInput,
  updateApplication,
} from '../../../src/domain/jobs/applications.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { retryJob } from '../../../src/domain/jobs/creation.ts';
import type { JobItemInput } from '../../../src/domain/jobs/items.ts';
import { updateJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

describeOnEachStore('An application', (open) => {
  let seed: Seed;
  let count = 0;
  beforeAll(async () => {
    seed = await plantSeed(await open());
  });

  const add = async (input: Partial<CreateApplicationInput> = {}) =>
    (await createApplication(seed.domain, admin, { name: `Application ${count++}`, ...input })).application;
  const change = async (applicationId: string, input: object) =>
    (await updateApplication(seed.domain, admin, { applicationId, ...input })).application;
  const itemsOf = async (jobId: string) => {
    const { db, t } = seed.domain.store.read;
    const rows = await db.select().from(t.jobItems).where(eq(t.jobItems.jobId, jobId)).orderBy(t.jobItems.position);
    return rows.map(({ name, value, valueType, source }) => `${name} = ${value} (${valueType}, ${source})`);
  };
  const issuesOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'taken',
      (error: { issues?: readonly { path: readonly string[]; message: string }[] }) =>
        error.issues?.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? error,
    );

  /** Like those in SeeMe's documents. */
  const classifier: ItemDefinitionInput[] = [
    { name: 'image_size', label: 'Image Size', valueType: 'INT', isRequired: true },
    { name: 'arch', label: 'Architecture', valueType: 'MULTI', options: ['resnet34', 'resnet50'], defaultValue: 'resnet34' },
    { name: 'rate', description: 'Of learning', valueType: 'FLOAT', defaultValue: '.10', isRequired: true },
    { name: 'augment', valueType: 'BOOL' },
  ];

  describe('is refused', () => {
    const wrong: Record<string, [Partial<CreateApplicationInput>, string[]]> = {
      'with no name to read': [{ name: ' ' }, ['name: must not be empty.']],
      'with two items of one name': [
        {
          itemDefinitions: [
            { name: 'a', valueType: 'INT' },
            { name: 'a', valueType: 'TEXT' },
          ],
        },
        ['itemDefinitions.1: The item "a" comes twice.'],
      ],
      'with a default that its type does not have': [
        { itemDefinitions: [{ name: 'a', valueType: 'INT', defaultValue: '1.5' }] },
        ['itemDefinitions.0.defaultValue: must be a whole number.'],
      ],
      'with a default that is no option': [
        { itemDefinitions: [{ name: 'a', valueType: 'MULTI', options: ['x', 'y'], defaultValue: 'z' }] },
        ['itemDefinitions.0.defaultValue: must be one of "x", "y".'],
      ],
      'with MULTI and nothing to choose from': [
        { itemDefinitions: [{ name: 'a', valueType: 'MULTI' }] },
        ['itemDefinitions.0.options: must not be empty: a MULTI item takes one of its options.'],
      ],
      'with options of another type': [
        { itemDefinitions: [{ name: 'a', valueType: 'TEXT', options: ['x'] }] },
        ['itemDefinitions.0.options: must not be given for an item of type TEXT: only MULTI has options.'],
      ],
      'with a schema that is none': [
        { settingsSchema: { properties: { a: { type: 'whole' } } } },
        [
          'settingsSchema.properties.a.type: must be one of "array", "boolean", "integer", "null", "number", "object", "string".',
          'settingsSchema.properties.a.type: must match a schema in anyOf.',
        ],
      ],
      'with a schema of an unknown dialect': [
        { settingsSchema: { $schema: 'https://example.org/own' } },
        ['settingsSchema: has an unknown dialect. Known are draft-07, 2019-09, 2020-12.'],
      ],
      'with a schema that refers to nowhere': [
        { settingsSchema: { $ref: '#/$defs/a' } },
        [expect.stringMatching(/^settingsSchema: cannot be used: .*#\/\$defs\/a/) as string],
      ],
      'with a schema that refers to elsewhere': [
        { settingsSchema: { $ref: 'https://example.org/schema.json' } },
        [expect.stringMatching(/^settingsSchema: cannot be used: .*example\.org/) as string],
      ],
      'with a pattern that cannot be read': [
        { settingsSchema: { properties: { a: { pattern: '(' } } } },
        [expect.stringMatching(/^settingsSchema/) as string],
      ],
      'with a schema of something else than an object': [
        { settingsSchema: { type: 'array' } },
        ['settingsSchema: accepts no object, but settings are one: it must be array.'],
      ],
      'with a default that breaks its own schema': [
        { settingsSchema: { properties: { a: { properties: { b: { type: 'integer', default: 'b' } } } } } },
        ['settingsSchema: has a default that breaks its own rules: a.b must be integer.'],
      ],
      'with a container of image and build': [
        { container: { image: 'a', build: { context: '.' } } },
        ['container.build: must not be given together with image. Give one of the two.'],
      ],
    };
    test.each(Object.entries(wrong))('%s', async (_, [input, issues]) => {
      expect(await issuesOf(add(input))).toEqual(issues);
    });

    test('with the name of another', async () => {
      const { id, name } = await add();
      await expect(add({ name })).rejects.toMatchObject({ code: 'ALREADY_EXISTS', existingId: id });
      const other = await add();
      expect(await issuesOf(change(other.id, { name }))).toEqual(['name: is already the name of an application. Choose another.']);
      expect((await change(other.id, { name: other.name })).name).toBe(other.name);
    });

    test('all but once, when it is created many times at once with one name', async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => add({ name: 'Sought after' })));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ALREADY_EXISTS' });
    });

    test('to a key that may not change applications (P15)', async () => {
      const keys = [
        { name: 'viewer', kind: 'USER', role: 'VIEWER' },
        { name: 'editor', kind: 'USER', role: 'EDITOR', projectId: seed.project.id },
      ] as const;
      const { id } = await add();
      for (const key of keys) {
        const principal = await seed.principalOf((await createApiKey(seed.domain, admin, key)).secret);
        for (const attempt of [
          createApplication(seed.domain, principal, { name: 'Mine' }),
          updateApplication(seed.domain, principal, { applicationId: id, name: 'Mine' }),
          deleteApplication(seed.domain, principal, { applicationId: id }),
        ])
          await expect(attempt).rejects.toMatchObject({ code: 'FORBIDDEN' });
      }
    });
  });

  test('takes draft-07, 2019-09 and 2020-12, and formats', async () => {
    for (const [$schema, more] of [
      ['http://json-schema.org/draft-07/schema#', { properties: { pair: { items: [{ type: 'integer' }] } } }],
      ['https://json-schema.org/draft/2019-09/schema', { properties: { pair: { items: [{ type: 'integer' }] } } }],
      ['https://json-schema.org/draft/2020-12/schema', { properties: { pair: { prefixItems: [{ type: 'integer' }] } } }],
    ] as const) {
      const { id } = await add({ settingsSchema: { $schema, ...more } });
      expect(await issuesOf(seed.createJob(1, { applicationId: id, settings: { pair: ['x'] } }))).toEqual([
        'settings.pair.0: must be integer.',
      ]);
    }
    const { id } = await add({ settingsSchema: { properties: { mail: { format: 'email' }, odd: { format: 'of-our-own' } } } });
    expect(await issuesOf(seed.createJob(1, { applicationId: id, settings: { mail: 'nobody', odd: 'x' } }))).toEqual([
      'settings.mail: must match format "email".',
    ]);
  });

  describe('gives its jobs', () => {
    const jobOf = (applicationId: string, items: JobItemInput[] | null) => seed.createJob(1, { applicationId, items });

    test('items in its order, in canonical spelling, with its defaults', async () => {
      const { id } = await add({ itemDefinitions: classifier });
      const { job } = await jobOf(id, [
        { name: 'augment', value: 'TRUE' },
        { name: 'image_size', value: ' 0224', valueType: 'NUMBER' },
      ]);
      expect(await itemsOf(job.id)).toEqual([
        'image_size = 224 (INT, GIVEN)',
        'arch = resnet34 (MULTI, DEFAULT)',
        'rate = 0.1 (FLOAT, DEFAULT)',
        'augment = true (BOOL, GIVEN)',
      ]);
    });

    test('no item that is optional, has no default and is not given', async () => {
      const { id } = await add({ itemDefinitions: classifier });
      const { job } = await jobOf(id, [{ name: 'image_size', value: '1' }]);
      expect((await itemsOf(job.id)).map((item) => item.split(' ')[0])).toEqual(['image_size', 'arch', 'rate']);
    });

    test('a refusal of items that it does not define', async () => {
      const { id, name } = await add({ itemDefinitions: classifier });
      const items = [
        { name: 'arch', value: 'vgg' },
        { name: 'rate', value: 'fast' },
        { name: 'augment', value: 'true', valueType: 'TEXT' },
        { name: 'depth', value: '3' },
      ] as const;
      expect(await issuesOf(jobOf(id, [...items]))).toEqual([
        'items.0.value: must be one of "resnet34", "resnet50".',
        'items.1.value: must be a number, such as 0.5 or 1e-3.',
        'items.2.valueType: must be BOOL, as in the application; it is TEXT.',
        `items.3.name: is not an item of ${name}. Its items are image_size, arch, rate, augment.`,
        `items: must contain "image_size": ${name} requires it and has no default for it.`,
      ]);
      expect(await issuesOf(jobOf(id, null))).toEqual([`items: must contain "image_size": ${name} requires it and has no default for it.`]);
    });

    test('any items, if it defines none', async () => {
      const { id } = await add();
      const { job } = await jobOf(id, [{ name: 'depth', value: '3', valueType: 'NUMBER' }]);
      expect(await itemsOf(job.id)).toEqual(['depth = 3 (NUMBER, GIVEN)']);
    });

    test('its container, if they have none, with its requirements', async () => {
      const { id, container } = await add({ container: { image: 'train:1', resources: { gpu: 1 } } });
      const own = await seed.createJob(undefined, { applicationId: id, steps: null, container: { command: 'true' } });
      expect(own.job.container).toMatchObject({ image: null, command: 'true', resources: { gpu: null } });
      const bare = await seed.createJob(undefined, { applicationId: id, steps: null });
      expect(bare.job.container).toEqual(container);
      const stepped = await seed.createJob([{ name: 'a' }, { name: 'b', container: { command: 'true' } }], { applicationId: id });
      expect(stepped.job.container).toEqual(container);
      const { db, t } = seed.domain.store.read;
      const queues = new Map((await db.select().from(t.queues)).map((queue) => [queue.id, queue.resources.gpu]));
      expect([...bare.steps, ...stepped.steps].map((step) => step.container?.image)).toEqual(['train:1', 'train:1', null]);
      expect([...bare.steps, ...stepped.steps].map(({ queueId }) => queues.get(queueId))).toEqual([1, 1, null]);
    });
  });

  test('that does not exist is not found', async () => {
    const applicationId = 'app_00000000000000000000000000';
    await expect(seed.createJob(1, { applicationId })).rejects.toMatchObject({ code: 'NOT_FOUND', id: applicationId });
    await expect(change(applicationId, { name: 'x' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(deleteApplication(seed.domain, admin, { applicationId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('changes only in the given fields', async () => {
    const before = await add({ description: 'Tells cats from dogs', itemDefinitions: classifier, settingsSchema: { type: 'object' } });
    seed.clock.advance(1_000);
    const after = await change(before.id, { description: null, supportsContinualTraining: true, container: { image: 'train:2' } });
    expect(after).toEqual({
      ...before,
      supportsContinualTraining: true,
      container: expect.objectContaining({ image: 'train:2' }),
      updatedAt: seed.clock.now(),
    });
    expect((await change(before.id, { itemDefinitions: [] })).itemDefinitions).toEqual([]);
  });

  describe('that changes or goes', () => {
    const grown = {
      itemDefinitions: [{ name: 'other', valueType: 'INT', isRequired: true }] as const,
      settingsSchema: { properties: { seed: { type: 'string' } }, required: ['seed'] },
      container: { image: 'train:2' },
    };
    const madeOf = async () => {
      const { id } = await add({
        itemDefinitions: classifier,
        settingsSchema: { properties: { seed: { type: 'integer', default: 7 } } },
        container: { image: 'train:1' },
      });
      const { job } = await seed.createJob(undefined, { applicationId: id, steps: null, items: [{ name: 'image_size', value: '1' }] });
      return { id, job, items: await itemsOf(job.id) };
    };

    test('leaves existing jobs as they were', async () => {
      const { id, job, items } = await madeOf();
      await change(id, grown);
      expect(await seed.readJob(job.id)).toEqual(job);
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
      await deleteApplication(seed.domain, admin, { applicationId: id });
      expect(await itemsOf(job.id)).toEqual(items);
      expect(await seed.readJob(job.id)).toMatchObject({
        applicationId: id,
        settings: { seed: 7 },
        settingsSources: { seed: 'DEFAULT' },
        container: { image: 'train:1' },
      });
    });

    test('lets a job be retried as it was, and be changed by the rules of its creation', async () => {
      const { id, job, items } = await madeOf();
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
      await change(id, grown);
      await deleteApplication(seed.domain, admin, { applicationId: id });
      const { job: again } = await retryJob(seed.domain, admin, { jobId: job.id });
      expect(await itemsOf(again.id)).toEqual(items);
      expect(again).toMatchObject({ applicationId: id, settings: { seed: 7 }, container: { image: 'train:1' } });

      const update = (input: object) => updateJob(seed.domain, admin, { jobId: again.id, ...input });
      expect(await issuesOf(update({ settings: { seed: 'x' }, items: [{ name: 'arch', value: 'vgg' }] }))).toEqual([
        'items.0.value: must be one of "resnet34", "resnet50".',
        expect.stringContaining('items: must contain "image_size"'),
        'settings.seed: must be integer.',
      ]);
      await update({
        items: [
          { name: 'image_size', value: '2' },
          { name: 'arch', value: 'resnet50' },
        ],
      });
      expect((await itemsOf(again.id)).slice(0, 2)).toEqual(['image_size = 2 (INT, GIVEN)', 'arch = resnet50 (MULTI, GIVEN)']);
    });

    test('is not deleted while a job of it has not ended', async () => {
      const { id, job } = await madeOf();
      await expect(deleteApplication(seed.domain, admin, { applicationId: id })).rejects.toMatchObject({
        code: 'INVALID_STATE',
        status: 'QUEUED',
        allowed: ['SUCCEEDED', 'FAILED', 'CANCELLED'],
      });
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
      expect(await deleteApplication(seed.domain, admin, { applicationId: id })).toEqual({ deletedApplicationId: id });
      await expect(seed.createJob(1, { applicationId: id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
});
