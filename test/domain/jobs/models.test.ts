/** Models that were made elsewhere. */
import { expect, test } from 'vitest';
import { createFragment, deleteFragment } from '../../../src/domain/files/fragments.ts';
import { createModel, createModelVersion } from '../../../src/domain/jobs/models.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('A model that was made elsewhere', (on) => {
  const upload = async (projectId: string, filename: string, type: 'MODEL' | 'DATA' = 'MODEL', text: string | null = filename) =>
    (await createFragment(on().seed.domain, admin, { projectId, filename, type, text })).fragment.id;

  test('is created without versions, and gets them in order', async () => {
    const { seed } = on();
    const { domain, project } = seed;
    const { model } = await createModel(domain, admin, { projectId: project.id, name: 'ResNet' });
    expect(model).toMatchObject({ projectId: project.id, name: 'ResNet' });
    const files = [await upload(project.id, 'first.pt'), await upload(project.id, 'second.pt')];
    const versions = await Promise.all(files.map((fragmentId) => createModelVersion(domain, admin, { modelId: model.id, fragmentId })));
    expect(versions.map(({ version }) => version.fragmentId)).toEqual(files);
    expect(new Set(versions.map(({ version }) => version.number))).toEqual(new Set([1, 2]));
    expect(versions[0]?.version).toMatchObject({ modelId: model.id, jobId: null, projectId: project.id });
    // Its file stays.
    expect(await refusalOf(deleteFragment(domain, admin, { fragmentId: files[0] ?? '' }))).toMatchObject({ code: 'INVALID_STATE' });
  });

  test('is created once by repeated requests with the same key', async () => {
    const { seed } = on();
    const { domain, project } = seed;
    const input = { projectId: project.id, name: 'ResNet', idempotencyKey: 'a' };
    const { model } = await createModel(domain, admin, input);
    expect(await createModel(domain, admin, input)).toEqual({ model });
    expect(await refusalOf(createModel(domain, admin, { ...input, name: 'VGG' }))).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    const add = { modelId: model.id, fragmentId: await upload(project.id, 'a.pt'), idempotencyKey: 'a' };
    const { version } = await createModelVersion(domain, admin, add);
    expect(await createModelVersion(domain, admin, add)).toEqual({ version });
  });

  test('is refused with the field that is wrong, and nothing is stored', async () => {
    const { seed, readAll } = on();
    const { domain, project } = seed;
    const { project: other } = await createProject(domain, admin, { name: 'Other' });
    const { model } = await createModel(domain, admin, { projectId: project.id, name: 'ResNet' });
    const wrong = [
      await upload(project.id, 'data.csv', 'DATA'),
      await upload(project.id, 'pending.pt', 'MODEL', null),
      await upload(other.id, 'foreign.pt'),
      'frag_00000000000000000000000000',
    ];
    const before = await readAll();
    for (const fragmentId of wrong)
      expect(await refusalOf(createModelVersion(domain, admin, { modelId: model.id, fragmentId }))).toMatchObject({
        issues: [{ path: ['fragmentId'] }],
      });
    expect(await refusalOf(createModel(domain, admin, { projectId: project.id, name: ' ' }))).toMatchObject({
      issues: [{ path: ['name'] }],
    });
    const nowhere = { projectId: 'proj_00000000000000000000000000', name: 'x' };
    expect(await refusalOf(createModel(domain, admin, nowhere))).toMatchObject({ code: 'NOT_FOUND' });
    const none = { modelId: 'model_00000000000000000000000000', fragmentId: wrong[0] ?? '' };
    expect(await refusalOf(createModelVersion(domain, admin, none))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await readAll()).toEqual(before);
  });
});
