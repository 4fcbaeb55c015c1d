/** A job that becomes one of another application while it waits. */
import { eq } from 'drizzle-orm';
import { beforeAll, expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import { type CreateApplicationInput, createApplication, type ItemDefinitionInput } from '../../../src/domain/jobs/applications.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { retryJob } from '../../../src/domain/jobs/creation.ts';
import { updateJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

describeOnEachStore('An application that a job is moved to', (open) => {
  let seed: Seed;
  let count = 0;
  beforeAll(async () => {
    seed = await plantSeed(await open());
  });

  const add = async (input: Partial<CreateApplicationInput> = {}) =>
    (await createApplication(seed.domain, admin, { name: `Application ${count++}`, ...input })).application;
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

  const classifier: ItemDefinitionInput[] = [
    { name: 'image_size', label: 'Image Size', valueType: 'INT', isRequired: true },
    { name: 'arch', label: 'Architecture', valueType: 'MULTI', options: ['resnet34', 'resnet50'], defaultValue: 'resnet34' },
    { name: 'rate', description: 'Of learning', valueType: 'FLOAT', defaultValue: '.10', isRequired: true },
    { name: 'augment', valueType: 'BOOL' },
  ];

  test('gives its items to a job that waits, and to none that has started', async () => {
    const settingsSchema = { type: 'object', properties: { rate: { type: 'number', default: 0.1 } } };
    const from = await add({ itemDefinitions: [{ name: 'old', valueType: 'TEXT', defaultValue: 'x' }] });
    const to = await add({ itemDefinitions: classifier, settingsSchema });
    const { job } = await seed.createJob(1, { applicationId: from.id });
    const become = (input: object) => updateJob(seed.domain, admin, { jobId: job.id, applicationId: to.id, ...input });
    const items = [{ name: 'image_size', value: '64' }];
    expect(await issuesOf(become({ items: [{ name: 'old', value: 'y' }], settings: {} }))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^items\.0\.name: is not an item of /)]),
    );
    expect(await issuesOf(become({ items }))).toEqual([`settings: must be given anew: ${to.name} has a schema for them.`]);
    await expect(become({ applicationId: 'app_00000000000000000000000000' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { job: updated } = await become({ items, settings: {} });
    expect(updated).toMatchObject({ applicationId: to.id, settings: { rate: 0.1 } });
    expect(await itemsOf(job.id)).toEqual([
      'image_size = 64 (INT, GIVEN)',
      'arch = resnet34 (MULTI, DEFAULT)',
      'rate = 0.1 (FLOAT, DEFAULT)',
    ]);
    // From now on, its rules hold.
    expect(await issuesOf(updateJob(seed.domain, admin, { jobId: job.id, settings: { rate: 'fast' } }))).toEqual([
      expect.stringMatching(/^settings\.rate: /),
    ]);
    await seed.claim(updated);
    await expect(become({ items, settings: {} })).rejects.toMatchObject({ code: 'INVALID_STATE', status: 'RUNNING' });
    await expect(updateJob(seed.domain, admin, { jobId: job.id, type: 'CONVERSION' })).rejects.toMatchObject({ code: 'INVALID_STATE' });
  });

  test('lets it start from a model version or the newest of a model, if it supports that', async () => {
    const training = await seed.createJob(1);
    const { lease } = await seed.claim(training);
    const model = {
      jobId: training.job.id,
      filename: 'model.safetensors',
      type: 'MODEL',
      text: 'weights',
      leaseToken: lease.token,
    } as const;
    const { fragment } = await createFragment(seed.domain, admin, model);
    await completeStep(seed.domain, admin, { leaseToken: lease.token });
    const { modelVersionId: startModelVersionId } = await seed.readJob(training.job.id);
    expect(startModelVersionId).not.toBeNull();

    const refusal = ['startModelVersionId: needs an application that supports continual training (supportsContinualTraining).'];
    expect(await issuesOf(seed.createJob(1, { startModelVersionId }))).toEqual(refusal);
    const cannot = await add();
    expect(await issuesOf(seed.createJob(1, { startModelVersionId, applicationId: cannot.id }))).toEqual(refusal);
    const can = await add({ supportsContinualTraining: true });
    const { job } = await seed.createJob(1, { startModelVersionId, applicationId: can.id });
    expect(job).toMatchObject({ applicationId: can.id, startModelVersionId, startModelId: fragment.id });

    // Of a model, the newest version.
    const { modelId: startModelId } = await seed.readJob(training.job.id);
    const newest = await seed.createJob(1, { startModelId, applicationId: can.id });
    expect(newest.job).toMatchObject({ startModelVersionId, startModelId: fragment.id });
    expect(await issuesOf(seed.createJob(1, { startModelId, startModelVersionId, applicationId: can.id }))).toEqual([
      'startModelId: must not be given together with startModelVersionId.',
    ]);
    expect(await issuesOf(seed.createJob(1, { startModelId: fragment.id, applicationId: can.id }))).toEqual([
      `startModelId: There is no model ${fragment.id} with a version in the project.`,
    ]);
    expect(await issuesOf(seed.createJob(1, { startModelId }))).toEqual([
      'startModelId: needs an application that supports continual training (supportsContinualTraining).',
    ]);

    // A job that waits can be given another one, and keeps it when it is tried again.
    const { job: waiting } = await seed.createJob(1, { applicationId: can.id });
    const updated = await updateJob(seed.domain, admin, { jobId: waiting.id, startModelId });
    expect(updated.job).toMatchObject({ startModelVersionId, startModelId: fragment.id });
    expect((await seed.readEvents(waiting.id)).at(-1)).toMatchObject({ type: 'JOB_UPDATED', details: ['startModelVersionId'] });
    await cancelJob(seed.domain, admin, { jobId: waiting.id, cancelTimeoutSeconds: 0 });
    expect((await retryJob(seed.domain, admin, { jobId: waiting.id })).job).toMatchObject({ startModelVersionId });
    const { job: unable } = await seed.createJob(1, { applicationId: cannot.id });
    expect(await issuesOf(updateJob(seed.domain, admin, { jobId: unable.id, startModelVersionId }))).toEqual(refusal);
    // Both at once.
    const moved = await updateJob(seed.domain, admin, {
      jobId: unable.id,
      startModelVersionId,
      applicationId: can.id,
      type: 'VALIDATION',
    });
    expect(moved.job).toMatchObject({ applicationId: can.id, type: 'VALIDATION', startModelVersionId });
  });
});
