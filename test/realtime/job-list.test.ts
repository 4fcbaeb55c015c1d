/** Live lists of jobs: nothing that came, changed or left is lost, also when resumed (P7). */
import { lt } from 'drizzle-orm';
import { expect, test } from 'vitest';
import type { Principal } from '../../src/domain/access/principal.ts';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { cancelJob } from '../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../src/domain/jobs/projects.ts';
import { deleteJob, updateJob } from '../../src/domain/jobs/update.ts';
import { jobCountChanges } from '../../src/realtime/job-counts.ts';
import { type JobListOf, jobList, type ListChange } from '../../src/realtime/job-list.ts';
import type { Frame } from '../../src/realtime/streams.ts';
import type { JobFilter } from '../../src/store/queries/job-filter.ts';
import { jobCondition } from '../../src/store/queries/job-filter.ts';
import { listJobs } from '../../src/store/queries/job-lists.ts';
import { describeOnGround } from '../support/ground.ts';
import { pickNumber, pickOne, seedRandom } from '../support/random.ts';
import { admin } from '../support/seed.ts';

describeOnGround('A live list of jobs', (on) => {
  /** PostgreSQL gives events their positions a moment after the commit. */
  async function settle(): Promise<void> {
    const { db, t } = on().store.read;
    while ((await db.select().from(t.events).where(lt(t.events.position, 0)).limit(1)).length > 0) await new Promise(setImmediate);
  }
  const open = async (of: Partial<JobListOf> = {}, principal: Principal = admin) => {
    const { seed, wakeups } = on();
    await settle();
    const filter = { projectId: seed.project.id, ...of.filter };
    return jobList(seed.domain, wakeups, principal, { newest: 100, ...of, filter });
  };
  const listed = (frame: Frame<ListChange> | undefined) => frame?.rows.filter(({ isListed }) => isListed).map(({ id }) => id);
  const removed = (frame: Frame<ListChange> | undefined) => frame?.rows.filter(({ isListed }) => !isListed).map(({ id }) => id);
  type Stream = Awaited<ReturnType<typeof open>>;
  const nextOf = async (stream: Stream) => (await stream.next()).value;
  /** The next frame with changes. */
  async function changeIn(stream: Stream): Promise<Frame<ListChange>> {
    for (;;) {
      const frame = await nextOf(stream);
      if (!frame) throw new Error('A live list does not end.');
      if (frame.rows.length > 0) return frame;
    }
  }
  const cancel = (jobId: string) => cancelJob(on().seed.domain, admin, { jobId, cancelTimeoutSeconds: 0 });

  test('begins with its newest jobs, and then tells of those that come, change, leave or are deleted', async () => {
    const { seed } = on();
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await seed.createJob()).job.id);
    const [oldest = '', middle = '', newest = ''] = ids;
    await cancel(oldest);
    const stream = await open({ filter: { statuses: ['QUEUED', 'RUNNING'] }, newest: 1 });
    const first = await nextOf(stream);
    expect([first?.state, listed(first)]).toEqual(['LIVE', [newest]]);
    // What is older comes into the list when it changes.
    await updateJob(seed.domain, admin, { jobId: middle, description: 'changed' });
    expect(await changeIn(stream)).toMatchObject({ state: 'LIVE', missed: 0, rows: [{ id: middle, isListed: true }] });
    await seed.claim(await seed.readJob(newest));
    expect(listed(await changeIn(stream))).toEqual([newest]);
    await cancel(middle);
    expect(removed(await changeIn(stream))).toEqual([middle]);
    // It was not in the list, and its change did not take it out.
    await updateJob(seed.domain, admin, { jobId: oldest, description: 'changed' });
    await deleteJob(seed.domain, admin, { jobId: middle });
    expect((await changeIn(stream)).rows).toEqual([{ id: middle, isListed: false }]);
    const { job } = await seed.createJob();
    expect(listed(await changeIn(stream))).toEqual([job.id]);
    await stream.return?.();
    expect(on().wakeups.size).toBe(0);
  });

  test.each<[string, JobFilter, object]>([
    ['a name', { name: 'here' }, { name: 'gone' }],
    ['a part of the name', { nameContains: 'HER' }, { name: 'gone' }],
    ['a search', { search: 'here' }, { name: 'gone' }],
    ['a label', { labels: [{ key: 'a', value: '1' }] }, { labels: [{ key: 'a', value: '2' }] }],
    ['a label of any value', { labelFilters: [{ key: 'a' }] }, { labels: [] }],
    ['the absence of a label', { labelFilters: [{ key: 'b', isAbsent: true }] }, { labels: [{ key: 'b', value: '1' }] }],
  ])('that is filtered by %s tells of a job that an update takes out, and of one that it brings in', async (_, filter, change) => {
    const { seed } = on();
    const labels = [{ key: 'a', value: '1' }];
    const { job } = await seed.createJob(1, { name: 'here', labels });
    const stream = await open({ filter });
    expect(listed(await nextOf(stream))).toEqual([job.id]);
    await updateJob(seed.domain, admin, { jobId: job.id, ...change });
    expect((await changeIn(stream)).rows).toEqual([{ id: job.id, isListed: false }]);
    await updateJob(seed.domain, admin, { jobId: job.id, name: 'here', labels });
    expect((await changeIn(stream)).rows).toEqual([{ id: job.id, isListed: true }]);
    await stream.return?.();
  });

  test('that is filtered by a device tells of a job that another device claims', async () => {
    const { seed } = on();
    const [one, other] = [await seed.registerDevice(), await seed.registerDevice()];
    const { job } = await seed.createJob(2);
    const { lease } = await seed.claim(job, 0, one);
    const stream = await open({ filter: { deviceId: one.device.id } });
    expect(listed(await nextOf(stream))).toEqual([job.id]);
    await completeStep(seed.domain, one.principal, { leaseToken: lease.token });
    await seed.claim(job, 1, other);
    let frame = await changeIn(stream);
    while (removed(frame)?.length === 0) frame = await changeIn(stream);
    expect(frame.rows).toEqual([{ id: job.id, isListed: false }]);
    await stream.return?.();
  });

  test('equals the list that a query answers, after any changes, for subscribers that stay and that come and go (P7)', async () => {
    const { seed } = on();
    const random = seedRandom('live list');
    const filters: JobFilter[] = [
      {},
      { statuses: ['RUNNING'] },
      { notStatuses: ['RUNNING', 'QUEUED'] },
      { nameContains: 'a', types: ['TRAINING'] },
      { labelFilters: [{ key: 'k', isAbsent: true }], statuses: ['QUEUED', 'RUNNING', 'CANCELLED'] },
    ];
    for (let i = 0; i < 12; i++) await seed.createJob(1, { name: pickOne(random, ['a', 'b']) });
    const ids: string[] = (
      await listJobs(seed.domain.store.read, jobCondition({ projectId: seed.project.id }, noScope), newestFirst, all)
    ).map(({ id }) => id);
    let isOver = false;
    /** Follows a list until it equals the query's, after the last change. */
    async function follow(filter: JobFilter, isRestless: boolean): Promise<void> {
      const jobs = new Set<string>();
      let cursor: string | null = null;
      for (;;) {
        const stream: Stream = await open({ filter, after: cursor });
        for (let frames = 0; !(isRestless && frames === 2); frames++) {
          const frame: Frame<ListChange> | undefined = await nextOf(stream);
          if (!frame) throw new Error('A live list does not end.');
          expect(frame.missed).toBe(0);
          for (const { id, isListed } of frame.rows) isListed ? jobs.add(id) : jobs.delete(id);
          ({ cursor } = frame);
          if (!isOver) continue;
          const where = jobCondition({ projectId: seed.project.id, ...filter }, noScope);
          const expected = (await listJobs(seed.domain.store.read, where, newestFirst, all)).map(({ id }) => id);
          if (expected.length === jobs.size && expected.every((id) => jobs.has(id))) return void (await stream.return?.());
        }
        await stream.return?.();
      }
    }
    const following = filters.flatMap((filter) => [follow(filter, false), follow(filter, true)]);
    for (let i = 0; i < 120; i++) {
      const jobId = ids[pickNumber(random, ids.length)] ?? '';
      const { status } = await seed.readJob(jobId);
      const what = pickNumber(random, 6);
      if (what === 0) {
        const { job } = await seed.createJob(1, { name: pickOne(random, ['a', 'b']), type: pickOne(random, ['TRAINING', 'VALIDATION']) });
        ids.push(job.id);
      } else if (what === 1) await updateJob(seed.domain, admin, { jobId, name: pickOne(random, ['a', 'b', 'c']) });
      else if (what === 2) await updateJob(seed.domain, admin, { jobId, labels: pickOne(random, [[], [{ key: 'k', value: 'v' }]]) });
      else if (what === 3 && status === 'QUEUED') await seed.claim(await seed.readJob(jobId));
      else if (what === 4 && status === 'RUNNING') await cancel(jobId);
      else if (what === 5 && status === 'CANCELLED') {
        await deleteJob(seed.domain, admin, { jobId });
        ids.splice(ids.indexOf(jobId), 1);
      }
    }
    isOver = true;
    // A last change of each list, for those that have caught up already.
    const { job } = await seed.createJob(1, { name: 'a', type: 'TRAINING' });
    await seed.claim(job);
    await cancel(job.id);
    await Promise.all(following);
  });

  test('with a long beginning is resumed within it, without a gap or a repetition', async () => {
    const { seed } = on();
    const ids: string[] = [];
    for (let i = 0; i < 130; i++) ids.unshift((await seed.createJob()).job.id);
    const frame = await nextOf(await open({ newest: 120 }));
    expect([frame?.state, listed(frame)]).toEqual(['REPLAYING', ids.slice(0, 100)]);
    await updateJob(seed.domain, admin, { jobId: ids[110] ?? '', description: 'changed' });
    const resumed = await open({ newest: 120, after: frame?.cursor });
    const second = await nextOf(resumed);
    expect([second?.state, listed(second)]).toEqual(['LIVE', ids.slice(100, 120)]);
    expect(listed(await changeIn(resumed))).toEqual([ids[110]]);
    await resumed.return?.();
  });

  test('shows a key only what it sees, and refuses the cursor of a list with another filter or of another stream', async () => {
    const { seed } = on();
    const { project } = await createProject(seed.domain, admin, { name: 'Other' });
    const { job, token } = await seed.createJob();
    const other: Principal = { ...admin, role: 'VIEWER', projectId: project.id };
    const foreign = await nextOf(await open({}, other));
    expect(foreign).toMatchObject({ state: 'LIVE', rows: [] });
    const { job: own } = await seed.createJob(1, { projectId: project.id });
    expect(listed(await nextOf(await open({ filter: { projectId: null } }, other)))).toEqual([own.id]);
    const ofJob = await open({}, await seed.principalOf(token));
    await seed.createJob();
    expect(listed(await nextOf(ofJob))).toEqual([job.id]);
    await seed.createJob();
    await cancel(job.id);
    expect((await changeIn(ofJob)).rows).toEqual([{ id: job.id, isListed: true }]);
    await ofJob.return?.();

    const frame = await nextOf(await open());
    await expect(open({ after: frame?.cursor, filter: { statuses: ['QUEUED'] } })).rejects.toThrow('after: this cursor was not');
    await expect(open({ after: foreign?.cursor })).rejects.toThrow('after: this cursor was not');
    await expect(open({ after: 'nonsense' })).rejects.toThrow('after: this cursor was not');
  });
});

const noScope = { projectId: null, jobId: null };
const newestFirst = { field: 'CREATED_AT', direction: 'DESC' } as const;
const all = { limit: 1_000, isBackward: false, after: null, before: null };

describeOnGround('Live counts of jobs', (on) => {
  test('are told now and when they have changed, at most a few times a second', async () => {
    const { seed, wakeups } = on();
    const filter = { projectId: seed.project.id };
    const { job } = await seed.createJob();
    await seed.createJob();
    const stream = jobCountChanges(seed.domain, wakeups, admin, { filter, counted: { by: 'STATUS' } });
    expect((await stream.next()).value).toEqual([['QUEUED', 2]]);
    const next = stream.next();
    await seed.claim(job);
    for (let i = 0; i < 10; i++) await seed.createJob();
    // All of it is told at once, after the pause.
    let isTold = false;
    void next.then(() => {
      isTold = true;
    });
    while (!isTold) {
      seed.clock.advance(1_000);
      await new Promise(setImmediate);
    }
    expect((await next).value?.toSorted()).toEqual([
      ['QUEUED', 11],
      ['RUNNING', 1],
    ]);
    await stream.return?.();
    expect(wakeups.size).toBe(0);
  });
});
