/** Idempotency keys: the same request again gets the first result (P6). */
import { expect, test } from 'vitest';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createJob, retryJob, triggerJob } from '../../../src/domain/jobs/creation.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { addSteps } from '../../../src/domain/jobs/update.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin, type SeededJob } from '../../support/seed.ts';

interface Keyed {
  /** The result, without what a replay must not have: the secret and the mark of a replay. */
  run(ground: Ground, jobs: { open: SeededJob; ended: SeededJob }, idempotencyKey: string | null, change?: string): Promise<{ id: string }>;
  /** The path where the changed input differs. */
  readonly path: string;
}

/** Every mutation with an idempotency key. */
const mutations: Record<string, Keyed> = {
  createProject: {
    async run({ seed }, _, idempotencyKey, change = 'same') {
      const { project } = await createProject(seed.domain, admin, { name: 'Once', gitRepository: change, idempotencyKey });
      return { id: project.id };
    },
    path: 'gitRepository',
  },
  createJob: {
    async run({ seed }, _, idempotencyKey, change = 'same') {
      const settings = { nested: { deep: [1, { change }] } };
      const input = { projectId: seed.project.id, name: 'Once', settings, description: null, idempotencyKey };
      return { id: (await createJob(seed.domain, admin, input)).job.id };
    },
    path: 'settings.nested.deep.1.change',
  },
  triggerJob: {
    async run({ seed }, _, idempotencyKey, change = 'same') {
      return { id: (await triggerJob(seed.domain, admin, { projectId: seed.project.id, name: change, idempotencyKey })).job.id };
    },
    path: 'name',
  },
  retryJob: {
    async run({ seed }, { ended, open }, idempotencyKey, change = 'same') {
      const jobId = change === 'same' ? ended.job.id : open.job.id;
      return { id: (await retryJob(seed.domain, admin, { jobId, idempotencyKey })).job.id };
    },
    path: 'jobId',
  },
  addSteps: {
    async run({ seed }, { open }, idempotencyKey, change = 'same') {
      const input = { jobId: open.job.id, steps: [{ name: 'One' }, { name: change }], idempotencyKey };
      return { id: (await addSteps(seed.domain, admin, input)).steps.map(({ id }) => id).join(' ') };
    },
    path: 'steps.1.name',
  },
  createFragment: {
    async run({ seed }, { open }, idempotencyKey, change = 'same') {
      // Without a key, the same filename would be refused.
      const filename = idempotencyKey ? 'once.txt' : `${seed.domain.ids.next('Fragment')}.txt`;
      const input = { jobId: open.job.id, filename, type: 'DATA', text: change, idempotencyKey } as const;
      return { id: (await createFragment(seed.domain, admin, input)).fragment.id };
    },
    path: 'text',
  },
};

describeOnGround('An idempotency key', (on) => {
  async function makeJobs({ seed }: Ground) {
    const open = await seed.createJob();
    const ended = await seed.createJob();
    await cancelJob(seed.domain, admin, { jobId: ended.job.id, cancelTimeoutSeconds: 0 });
    return { open, ended };
  }

  test.each(Object.entries(mutations))('answers %s again with the first result, and changes nothing more', async (_, { run }) => {
    const ground = on();
    const jobs = await makeJobs(ground);
    const first = await run(ground, jobs, 'a key');
    const stored = await ground.readAll();
    ground.seed.clock.advance(60_000);
    expect(await run(ground, jobs, 'a key')).toEqual(first);
    expect(await ground.readAll()).toEqual(stored);
  });

  test.each(Object.entries(mutations))('of %s with another input is refused with the path that differs', async (_, { run, path }) => {
    const ground = on();
    const jobs = await makeJobs(ground);
    await run(ground, jobs, 'a key');
    // A job must have ended to be retried. Then only the input differs.
    if (path === 'jobId') {
      await cancelJob(ground.seed.domain, admin, { jobId: jobs.open.job.id, cancelTimeoutSeconds: 0 });
    }
    const stored = await ground.readAll();
    expect(await refusalOf(run(ground, jobs, 'a key', 'changed'))).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', differingPaths: [path] });
    expect(await ground.readAll()).toEqual(stored);
  });

  test.each(Object.entries(mutations))('of %s takes effect once among 12 in parallel', async (_, { run }) => {
    const ground = on();
    const jobs = await makeJobs(ground);
    const results = await Promise.all(Array.from({ length: 12 }, () => run(ground, jobs, 'a key')));
    expect(new Set(results.map(({ id }) => id)).size).toBe(1);
    const all = JSON.stringify(await ground.readAll());
    const [{ id = '' } = {}] = results;
    expect(all).toContain(id.split(' ')[0]);
    const { db, t } = ground.store.read;
    const jobsStored = (await db.select().from(t.jobs)).filter(({ projectId }) => projectId === ground.seed.project.id);
    expect(jobsStored.length).toBeLessThanOrEqual(3);
    expect(await ground.seed.readSteps(jobs.open.job.id)).toHaveLength(id.startsWith('step_') ? 3 : 1);
  });

  test.each(Object.entries(mutations))('that is left out lets %s happen twice', async (_, { run }) => {
    const ground = on();
    const jobs = await makeJobs(ground);
    expect(await run(ground, jobs, null)).not.toEqual(await run(ground, jobs, null));
  });

  test.each(['', 'k'.repeat(201), 'a\0b'])('must be valid: %j is refused', async (key) => {
    const ground = on();
    const jobs = await makeJobs(ground);
    const stored = await ground.readAll();
    for (const { run } of Object.values(mutations)) {
      expect(await refusalOf(run(ground, jobs, key))).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['idempotencyKey'] }] });
    }
    expect(await ground.readAll()).toEqual(stored);
  });

  test('is separate for each mutation and each project', async () => {
    const ground = on();
    const { seed } = ground;
    const { project } = await createProject(seed.domain, admin, { name: 'Other', idempotencyKey: `of ${seed.project.id}` });
    const create = (projectId: string) => createJob(seed.domain, admin, { projectId, name: 'A job', idempotencyKey: 'shared' });
    const one = await create(seed.project.id);
    const other = await create(project.id);
    const triggered = await triggerJob(seed.domain, admin, { projectId: project.id, idempotencyKey: 'shared' });
    expect(new Set([one.job.id, other.job.id, triggered.job.id]).size).toBe(3);
    expect([one, other, triggered].map(({ isReplay }) => isReplay)).toEqual([false, false, false]);
  });

  test("marks a replay, and does not show the first one's secret again", async () => {
    const { seed } = on();
    const input = { projectId: seed.project.id, name: 'Once', idempotencyKey: 'k' };
    const first = await createJob(seed.domain, admin, input);
    expect(first).toMatchObject({ isReplay: false, token: expect.stringMatching(/^tyk_/) });
    expect(await createJob(seed.domain, admin, { ...input, description: null })).toEqual({ job: first.job, isReplay: true, token: '' });
  });

  test('of a mutation that was refused can be used again', async () => {
    const { seed } = on();
    const create = (name: string) => createJob(seed.domain, admin, { projectId: seed.project.id, name, idempotencyKey: 'k' });
    expect(await refusalOf(create(''))).toMatchObject({ issues: [{ path: ['name'] }] });
    expect(await create('Better')).toMatchObject({ isReplay: false });
  });

  test('matches an input with its keys in another order, or with null for fields that were left out', async () => {
    const { seed } = on();
    const { id: projectId } = seed.project;
    const first = await createJob(seed.domain, admin, {
      projectId,
      name: 'Once',
      settings: { a: 1, b: { c: 2, d: 3 } },
      idempotencyKey: 'k',
    });
    const again = await createJob(seed.domain, admin, {
      ...{ idempotencyKey: 'k', settings: { b: { d: 3, c: 2 }, a: 1 }, priority: null },
      ...{ name: 'Once', projectId },
    });
    expect(again).toMatchObject({ isReplay: true, job: { id: first.job.id } });
  });
});
