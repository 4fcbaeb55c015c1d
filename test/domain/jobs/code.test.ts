/** The code that travels with a job: an archive, stored once, and kept while it is needed. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { AlreadyExists, InvalidInput, InvalidState } from '../../../src/domain/core/refusals.ts';
import { createFragment, deleteFragment, finishUpload } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createJob, retryJob, triggerJob } from '../../../src/domain/jobs/creation.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

const bytes = Buffer.from('the archive');
const sha256 = createHash('sha256').update(bytes).digest('hex');
const COMMIT = 'a'.repeat(40);

describeOnGround('The code of a job', (ground) => {
  const announce = (input: object = {}) => {
    const { domain, project } = ground().seed;
    const archive = {
      projectId: project.id,
      filename: `code/${sha256}.tar`,
      type: 'DATA' as const,
      ifExists: 'REUSE' as const,
      sha256,
      sizeBytes: bytes.length,
    };
    return createFragment(domain, admin, { ...archive, ...input });
  };
  const store = async ({ domain }: Ground['seed'], id: string) => {
    const received = await domain.files.receive(id, [bytes], bytes.length);
    await received.keep();
    await finishUpload(domain, id, received.file);
  };
  const stored = async () => {
    const { fragment } = await announce();
    await store(ground().seed, fragment.id);
    return fragment.id;
  };
  const create = (fragmentId: string, more: object = {}) => {
    const { domain, project } = ground().seed;
    return createJob(domain, admin, { projectId: project.id, name: 'a', code: { archive: { fragmentId, ...more } } });
  };

  test('is stored once: who announces the same file again gets the first, before and after its upload', async () => {
    const first = await announce();
    const second = await announce();
    expect([second.fragment.id, second.uploadUrl === null]).toEqual([first.fragment.id, false]);
    await store(ground().seed, first.fragment.id);
    const third = await announce();
    expect([third.fragment.id, third.fragment.status, third.uploadUrl]).toEqual([first.fragment.id, 'READY', null]);
    expect(await refusalOf(announce({ sha256: 'b'.repeat(64) }))).toBeInstanceOf(AlreadyExists);
    expect(await refusalOf(announce({ sha256: null }))).toMatchObject({ issues: [{ path: ['sha256'] }] });
  });

  test('is recorded with its hash, its size and the state of its repository', async () => {
    const fragmentId = await stored();
    const { job } = await create(fragmentId, { commit: COMMIT, branch: 'main', isDirty: true });
    const code = { archive: { sha256, sizeBytes: bytes.length }, git: { ref: null, commit: COMMIT, branch: 'main', isDirty: true } };
    expect(await ground().seed.readJob(job.id)).toMatchObject({ codeFragmentId: fragmentId, code });
    expect((await create(fragmentId)).job.code).toEqual({ ...code, git: null });
    const { domain, project } = ground().seed;
    const triggered = await triggerJob(domain, admin, { projectId: project.id, code: { archive: { fragmentId } } });
    expect(triggered.job.codeFragmentId).toBe(fragmentId);
  });

  test('is refused if it is not uploaded, of another project, too large or not well described', async () => {
    const { domain } = ground().seed;
    const { fragment } = await announce();
    const messageOf = async (promise: Promise<unknown>) => {
      const refusal = await refusalOf(promise);
      expect(refusal).toBeInstanceOf(InvalidInput);
      return refusal instanceof InvalidInput ? refusal.message : '';
    };
    const at = 'code.archive.fragmentId: ';
    expect(await messageOf(create(fragment.id))).toBe(`${at}The upload of the fragment ${fragment.id} is not complete.`);
    expect(await messageOf(create('frag_none'))).toBe(`${at}There is no fragment frag_none in the project.`);
    const other = (await createProject(domain, admin, { name: 'other' })).project;
    const elsewhere = await createFragment(domain, admin, { projectId: other.id, filename: 'a.tar', type: 'DATA', text: 'x' });
    expect(await messageOf(create(elsewhere.fragment.id))).toBe(`${at}There is no fragment ${elsewhere.fragment.id} in the project.`);
    await store(ground().seed, fragment.id);
    const strict = { ...domain, limits: { ...domain.limits, codeBytesAtMost: 5 } };
    const input = { projectId: ground().seed.project.id, name: 'a', code: { archive: { fragmentId: fragment.id } } };
    expect(await messageOf(createJob(strict, admin, input))).toBe(`${at}The archive has 11 bytes. The code of a job may have at most 5.`);
    expect(await messageOf(create(fragment.id, { commit: 'HEAD' }))).toContain('code.archive.commit: must be 40 or 64');
    expect(await messageOf(create(fragment.id, { branch: 'main' }))).toContain('code.archive.commit: is needed with branch');
  });

  test('cannot be deleted before its jobs have ended, and a retry says that it was', async () => {
    const { domain } = ground().seed;
    const fragmentId = await stored();
    const { job } = await create(fragmentId);
    expect(await refusalOf(deleteFragment(domain, admin, { fragmentId }))).toMatchObject({
      message: `Job ${job.id} runs the code in this fragment.`,
      allowed: ['SUCCEEDED', 'FAILED', 'CANCELLED'],
    });
    await cancelJob(domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    const again = await retryJob(domain, admin, { jobId: job.id });
    expect(again.job).toMatchObject({ codeFragmentId: fragmentId, code: { archive: { sha256 } } });
    await cancelJob(domain, admin, { jobId: again.job.id, cancelTimeoutSeconds: 0 });
    await deleteFragment(domain, admin, { fragmentId });
    const refusal = await refusalOf(retryJob(domain, admin, { jobId: job.id }));
    expect(refusal).toBeInstanceOf(InvalidState);
    expect(refusal).toMatchObject({ message: 'The archive of its code was deleted. Submit the code again.' });
    expect(await ground().seed.readJob(job.id)).toMatchObject({ code: { archive: { sha256 } } });
  });
});
