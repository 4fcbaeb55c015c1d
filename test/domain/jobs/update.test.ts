/** Changes of existing jobs and projects: more steps, updates, retries, deletion. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createApiKey } from '../../../src/domain/access/key-changes.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { reportProgress } from '../../../src/domain/claims/progress.ts';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { retryJob, triggerJob } from '../../../src/domain/jobs/creation.ts';
import { setJobOutput } from '../../../src/domain/jobs/outputs.ts';
import { createProject, deleteProject, updateProject } from '../../../src/domain/jobs/projects.ts';
import { addSteps, deleteJob, updateJob } from '../../../src/domain/jobs/update.ts';
import { registerDevice } from '../../../src/domain/steps/devices.ts';
import { removeDeleted } from '../../../src/domain/sweep/retention.ts';
import { DiskFiles } from '../../../src/store/files/disk.ts';
import { createFolder } from '../../support/folders.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('A job', (on, _database, dialect) => {
  const complete = async ({ seed }: Ground, jobId: string, number: number) =>
    completeStep(seed.domain, admin, { leaseToken: (await seed.claim(await seed.readJob(jobId), number)).lease.token });
  const add = ({ seed }: Ground, jobId: string, ...names: string[]) =>
    addSteps(seed.domain, admin, { jobId, steps: names.map((name) => ({ name })) });

  test('takes steps while it runs, and runs them after those it has', async () => {
    const ground = on();
    const { seed } = ground;
    const { job } = await seed.createJob(2);
    await complete(ground, job.id, 0);
    const added = await add(ground, job.id, 'Third', 'Fourth');
    expect(added.job).toMatchObject({ status: 'RUNNING', stepCount: 4 });
    expect(added.steps.map(({ number, name, status }) => [number, name, status])).toEqual([
      [2, 'Third', 'BLOCKED'],
      [3, 'Fourth', 'BLOCKED'],
    ]);
    expect((await seed.readEvents(job.id)).at(-1)).toMatchObject({ type: 'STEPS_ADDED', details: ['2', '3'] });
    for (const number of [1, 2]) expect((await complete(ground, job.id, number)).job.status).toBe('RUNNING');
    expect((await complete(ground, job.id, 3)).job.status).toBe('SUCCEEDED');
  });

  test('that has ended accepts no more steps, and no job accepts more than the limit', async () => {
    const ground = on();
    const { seed, readAll } = ground;
    const { job } = await seed.createJob();
    const { job: open } = await seed.createJob(1_000);
    await complete(ground, job.id, 0);
    const before = await readAll();
    expect(await refusalOf(add(ground, job.id, 'Late'))).toMatchObject({ code: 'INVALID_STATE', status: 'SUCCEEDED' });
    expect(await refusalOf(add(ground, open.id, 'One too many'))).toMatchObject({ issues: [{ path: ['steps'] }] });
    expect(await refusalOf(add(ground, open.id))).toMatchObject({ issues: [{ path: ['steps'], message: 'must not be empty.' }] });
    expect(await readAll()).toEqual(before);
  });

  test('whose last step completes while another is added either has ended or continues with the new one', async () => {
    const ground = on();
    const { seed } = ground;
    for (let round = 0; round < (dialect === 'postgres' ? 60 : 10); round++) {
      const { job } = await seed.createJob();
      const { lease } = await seed.claim(job);
      const completion = completeStep(seed.domain, admin, { leaseToken: lease.token });
      const [, added] = await Promise.allSettled(
        round % 2 === 0 ? [completion, add(ground, job.id, 'Second')] : [completion, add(ground, job.id, 'Second')].reverse(),
      ).then((outcomes) => (round % 2 === 0 ? outcomes : outcomes.reverse()));
      const { status } = await seed.readJob(job.id);
      const steps = (await seed.readSteps(job.id)).map(({ status }) => status);
      if (added?.status === 'fulfilled') {
        expect([status, steps]).toEqual(['RUNNING', ['SUCCEEDED', 'QUEUED']]);
        expect((await complete(ground, job.id, 1)).job.status).toBe('SUCCEEDED');
      } else {
        expect(added?.reason).toMatchObject({ code: 'INVALID_STATE' });
        expect([status, steps]).toEqual(['SUCCEEDED', ['SUCCEEDED']]);
      }
    }
  });

  test('numbers steps that are added by many requests at once without gaps', async () => {
    const ground = on();
    const { job } = await ground.seed.createJob();
    await Promise.all(Array.from({ length: 8 }, (_, i) => add(ground, job.id, `a${i}`, `b${i}`)));
    const steps = await ground.seed.readSteps(job.id);
    expect(steps.map(({ number }) => number)).toEqual(Array.from({ length: 17 }, (_, i) => i));
    for (let i = 1; i < 17; i += 2) expect(steps[i + 1]?.name).toBe(steps[i]?.name.replace('a', 'b'));
    expect((await ground.seed.readJob(job.id)).stepCount).toBe(17);
  });

  test('changes as requested, unless expectedUpdatedAt is not the newest', async () => {
    const { seed, readAll } = on();
    const { job } = await seed.createJob(1, { labels: [{ key: 'a', value: '1' }], items: [{ name: 'lr', value: '1' }] });
    const fields = { name: 'Better', description: 'why', priority: 3, labels: [{ key: 'b', value: '2' }], settings: { z: 1, a: 2 } };
    const items = [{ name: 'lr', valueType: 'FLOAT' as const, value: '+1e1' }];
    const { job: updated } = await updateJob(seed.domain, admin, { jobId: job.id, expectedUpdatedAt: job.updatedAt, ...fields, items });
    expect(updated).toMatchObject(fields);
    expect(updated.updatedAt.getTime()).toBeGreaterThan(job.updatedAt.getTime());
    expect(await seed.readJob(job.id)).toEqual(updated);
    expect(Object.keys(updated.settings)).toEqual(['z', 'a']);
    expect((await seed.readEvents(job.id)).at(-1)).toMatchObject({ type: 'JOB_UPDATED' });
    const before = await readAll();
    expect(await refusalOf(updateJob(seed.domain, admin, { jobId: job.id, expectedUpdatedAt: job.updatedAt, name: 'Mine' }))).toMatchObject(
      {
        code: 'INVALID_STATE',
      },
    );
    // A value that is already set is no change.
    await updateJob(seed.domain, admin, { jobId: job.id, expectedUpdatedAt: updated.updatedAt, ...fields });
    expect(await readAll()).toEqual(before);
  });

  test('is changed by one of many requests that expect the same updatedAt', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        updateJob(seed.domain, admin, { jobId: job.id, expectedUpdatedAt: job.updatedAt, name: `Name ${i}` }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('keeps its configuration once a step was claimed, and accepts descriptions until its end', async () => {
    const ground = on();
    const { seed } = ground;
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    for (const fields of [{ settings: {} }, { items: [] }, { datasetId: 'd' }, { datasetVersionId: 'v' }]) {
      expect(await refusalOf(updateJob(seed.domain, admin, { jobId: job.id, ...fields }))).toMatchObject({
        code: 'INVALID_STATE',
        allowed: ['BLOCKED', 'QUEUED'],
      });
    }
    await completeStep(seed.domain, admin, { leaseToken: lease.token });
    expect((await updateJob(seed.domain, admin, { jobId: job.id, statusMessage: 'for the record' })).job.statusMessage).toBe(
      'for the record',
    );
  });

  test('may change its priority while its steps are claimed and completed', async () => {
    const ground = on();
    const { seed } = ground;
    const { job } = await seed.createJob(10);
    const change = async () => {
      for (let priority = 1; priority <= 10; priority++) await updateJob(seed.domain, admin, { jobId: job.id, priority });
    };
    const work = async () => {
      for (let number = 0; number < 10; number++) await complete(ground, job.id, number);
    };
    await Promise.all([change(), work()]);
    expect(await seed.readJob(job.id)).toMatchObject({ status: 'SUCCEEDED', priority: 10 });
  });

  test('is retried as a new job with the same input, once it has ended', async () => {
    const { seed } = on();
    const container = { image: 'python', command: 'train', env: [{ name: 'A', value: '1' }] };
    const made = await seed.createJob([{ name: 'Train', container, maxAttempts: 3 }], {
      settings: { lr: 1, deep: { list: [1, 2] } },
      settingsOverrides: [{ path: 'deep.more', value: true }],
      items: [{ name: 'epochs', valueType: 'INT', value: '007' }],
      priority: 4,
      labels: [{ key: 'team', value: 'a' }],
      runTimeoutSeconds: 5.5,
    });
    expect(await refusalOf(retryJob(seed.domain, admin, { jobId: made.job.id }))).toMatchObject({
      code: 'INVALID_STATE',
      status: 'QUEUED',
    });
    await cancelJob(seed.domain, admin, { jobId: made.job.id, cancelTimeoutSeconds: 0 });
    const { job, token } = await retryJob(seed.domain, admin, { jobId: made.job.id });
    const same = ({ settings, priority, labels, runTimeoutSeconds, name }: typeof job) => ({
      settings,
      priority,
      labels,
      runTimeoutSeconds,
      name,
    });
    expect(job).toMatchObject({ status: 'QUEUED', ...same(made.job) });
    expect(job.id).not.toBe(made.job.id);
    expect(await seed.principalOf(token)).toMatchObject({ jobId: job.id });
    const [before] = made.steps;
    expect(await seed.readSteps(job.id)).toMatchObject([
      { name: 'Train', container: before?.container, maxAttempts: 3, queueId: before?.queueId },
    ]);
    expect(await refusalOf(retryJob(seed.domain, admin, { jobId: 'job_00000000000000000000000000' }))).toMatchObject({ code: 'NOT_FOUND' });
  });

  test("is triggered from its project's pipeline as that is now", async () => {
    const { seed } = on();
    const trigger = async () => seed.readSteps((await triggerJob(seed.domain, admin, { projectId: seed.project.id })).job.id);
    expect((await trigger()).map(({ name }) => name)).toEqual(['Bootstrap']);
    const pipeline = [{ name: 'Build' }, { name: 'Train', requiredLabels: [{ key: 'gpu', value: 'yes' }] }];
    await updateProject(seed.domain, admin, { projectId: seed.project.id, pipeline });
    expect((await trigger()).map(({ name, status }) => [name, status])).toEqual([
      ['Build', 'QUEUED'],
      ['Train', 'BLOCKED'],
    ]);
  });
});

describeOnGround('A deletion', (on) => {
  const folder = createFolder('deleted');
  const filesOf = (ids: readonly string[]) =>
    readdirSync(folder, { recursive: true }).filter((name) => ids.some((id) => String(name).includes(id)));
  const domainOf = ({ seed }: Ground): Domain => ({ ...seed.domain, files: new DiskFiles(folder) });

  /** An ended job with at least one row of everything a job can have. */
  async function fill(ground: Ground, projectId: string) {
    const { seed } = ground;
    const domain = domainOf(ground);
    const made = await seed.createJob([{ name: 'One', resources: { cpu: 0.5 } }, { name: 'Two' }], {
      projectId,
      name: 'Full',
      labels: [{ key: 'k', value: 'v' }],
      items: [{ name: 'lr', value: '1' }],
      idempotencyKey: `key of ${projectId}`,
    });
    const { job } = made;
    const { lease } = await seed.claim(job);
    await reportProgress(seed.domain, admin, {
      leaseToken: lease.token,
      metrics: [{ name: 'loss', value: 1, iteration: 1 }],
      telemetry: [{ cpu: 1, memoryMb: 1 }],
      log: [{ offset: 0, text: 'a line\n', stream: 'STDOUT' }],
    });
    const { fragment } = await createFragment(domain, admin, { jobId: job.id, filename: 'a.txt', type: 'DATA', text: 'a' });
    const { fragment: output } = await setJobOutput(domain, admin, { jobId: job.id, output: { a: 1 } });
    const { secret } = await createApiKey(seed.domain, admin, { name: 'watcher', kind: 'WATCH', jobId: job.id });
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    const files = [fragment.id, output.id];
    expect(filesOf(files)).toHaveLength(2);
    return { ...made, files, secret };
  }
  /** Every row but those that tell what was done: replays, the audit trail, deletions. */
  async function readRest(): Promise<Record<string, readonly string[]>> {
    // A change of a device that is gone tells live lists so, by its id.
    const { idempotencyKeys: _, auditEntries: __, deviceChanges: ___, ...rest } = await on().readAll();
    return { ...rest, events: (rest.events ?? []).filter((row) => !row.includes('"type":"JOB_DELETED"')) };
  }
  test('of a job deletes every row and every file that belongs to it', async () => {
    const ground = on();
    const { seed } = ground;
    const kept = await fill(ground, seed.project.id);
    const before = await readRest();
    const { job, steps, secret, files } = await fill(ground, (await createProject(seed.domain, admin, { name: 'Other' })).project.id);
    expect(await deleteJob(domainOf(ground), admin, { jobId: job.id })).toEqual({ deletedJobId: job.id });
    await removeDeleted(seed.domain, async () => {});
    const after = await readRest();
    for (const id of [job.id, ...steps.map(({ id }) => id), ...files]) expect(JSON.stringify(after)).not.toContain(id);
    expect(filesOf(files)).toEqual([]);
    expect(filesOf(kept.files)).toHaveLength(2);
    await expect(seed.principalOf(secret)).rejects.toThrow();
    // And nothing else.
    for (const name of ['jobs', 'steps', 'attempts', 'events', 'metricPoints', 'logChunks', 'telemetrySamples', 'fragments'])
      expect(after[name]).toEqual(before[name]);
    expect(await refusalOf(deleteJob(seed.domain, admin, { jobId: job.id }))).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of a project does the same, and is refused while a job of it has not ended', async () => {
    const ground = on();
    const { seed, readAll } = ground;
    const { project } = await createProject(seed.domain, admin, { name: 'Doomed' });
    const { job, steps, files } = await fill(ground, project.id);
    const { device, apiKey } = await registerDevice(seed.domain, admin, { projectId: project.id, name: 'box' });
    const { fragment } = await createFragment(domainOf(ground), admin, {
      projectId: project.id,
      filename: 'p.txt',
      type: 'DATA',
      text: 'p',
    });
    const { job: open } = await seed.createJob(1, { projectId: project.id });
    const full = await readAll();
    expect(await refusalOf(deleteProject(seed.domain, admin, { projectId: project.id }))).toMatchObject({ code: 'INVALID_STATE' });
    expect(await refusalOf(deleteJob(seed.domain, admin, { jobId: open.id }))).toMatchObject({ code: 'INVALID_STATE', status: 'QUEUED' });
    expect(await readAll()).toEqual(full);
    await cancelJob(seed.domain, admin, { jobId: open.id, cancelTimeoutSeconds: 0 });
    await deleteProject(domainOf(ground), admin, { projectId: project.id });
    await removeDeleted(seed.domain, async () => {});
    const after = await readRest();
    for (const id of [project.id, job.id, open.id, device.id, fragment.id, ...files, ...steps.map(({ id }) => id)])
      expect(JSON.stringify(after)).not.toContain(id);
    expect(filesOf([fragment.id, ...files])).toEqual([]);
    await expect(seed.principalOf(apiKey ?? '')).rejects.toThrow();
  });
});
