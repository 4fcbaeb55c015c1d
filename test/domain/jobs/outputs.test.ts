/** The output document of a job: the same row and file, however it is stored. */
import { json } from 'node:stream/consumers';
import { eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import { setJobOutput } from '../../../src/domain/jobs/outputs.ts';
import { FileMissing } from '../../../src/store/files/file-store.ts';
import type { FragmentRow } from '../../../src/store/schema/tables.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';
import { nth, raiseFleet } from '../fleet.ts';

const container = { env: [{ name: 'API_TOKEN', value: 'hush' }] };
const settings = { rate: 0.1 };

describeOnGround('The output of a job', (on) => {
  const fragmentsOf = async (jobId: string): Promise<FragmentRow[]> => {
    const { db, t } = on().store.read;
    return db.select().from(t.fragments).where(eq(t.fragments.jobId, jobId));
  };
  const documentOf = async (jobId: string): Promise<unknown> => {
    const [{ id, sha256 } = { id: '', sha256: '' }] = (await fragmentsOf(jobId)).filter(({ filename }) => filename === 'output.json');
    return json(on().seed.domain.files.read({ id, sha256: sha256 ?? '' }));
  };

  test('is the same file whether the last step or setJobOutput stores it', async () => {
    const { seed } = on();
    const output = { accuracy: 0.94 };
    const one = await seed.createJob(1, { container, settings, steps: null });
    await setJobOutput(seed.domain, admin, { jobId: one.job.id, output });
    const other = await seed.createJob(1, { container, settings, steps: null });
    const { lease } = await seed.claim(other);
    const { job } = await completeStep(seed.domain, admin, { leaseToken: lease.token, output });
    expect(job).toMatchObject({ status: 'SUCCEEDED', output });
    expect(await documentOf(other.job.id)).toEqual({ output, settings, items: {}, environment: { API_TOKEN: '***' } });
    expect(await documentOf(one.job.id)).toEqual(await documentOf(other.job.id));
  });

  test('that a step stores replaces an older one, and leaves no bytes of it', async () => {
    const { seed } = on();
    const job = await seed.createJob(2);
    const { fragment: older } = await setJobOutput(seed.domain, admin, { jobId: job.job.id, output: { epoch: 1 } });
    await completeStep(seed.domain, admin, { leaseToken: (await seed.claim(job, 0)).lease.token, output: { epoch: 2 } });
    expect(await documentOf(job.job.id)).toMatchObject({ output: { epoch: 2 } });
    await completeStep(seed.domain, admin, { leaseToken: (await seed.claim(job, 1)).lease.token, output: { epoch: 3 } });
    expect(await documentOf(job.job.id)).toMatchObject({ output: { epoch: 3 } });
    expect(await fragmentsOf(job.job.id)).toHaveLength(1);
    await expect(seed.domain.files.open({ id: older.id, sha256: older.sha256 ?? '' })).rejects.toThrow(FileMissing);
  });

  test('is stored for a step of a round too', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1 });
    const device = nth(fleet.devices, 0);
    const claim = await fleet.claim(job.id, device);
    await fleet.upload(claim, device.principal);
    const output = { samples: 12 };
    const completed = await completeStep(seed.domain, device.principal, { leaseToken: claim.lease.token, output });
    expect(completed.job).toMatchObject({ status: 'RUNNING', output });
    expect(await documentOf(job.id)).toMatchObject({ output });
  });

  test('is refused if its name is taken by another type of file: the step continues, and nothing is left behind', async () => {
    const { seed, readAll } = on();
    const job = await seed.createJob();
    await createFragment(seed.domain, admin, { jobId: job.job.id, filename: 'output.json', type: 'DATA', text: '{}' });
    const { lease } = await seed.claim(job);
    const before = await readAll();
    const refusal = await refusalOf(completeStep(seed.domain, admin, { leaseToken: lease.token, output: { a: 1 } }));
    expect(refusal).toMatchObject({
      code: 'INVALID_STATE',
      message: 'There is a fragment output.json of type DATA already. Delete it, so that the output can be stored.',
    });
    expect(await readAll()).toEqual(before);
    expect((await completeStep(seed.domain, admin, { leaseToken: lease.token })).job.status).toBe('SUCCEEDED');
  });
});
