/**
 * Subscriptions across jobs: the feed in commit order, live lists, and the number of claimable
 * steps (P7, P9).
 */
import { expect, test } from 'vitest';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { cancelJob } from '../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../src/domain/jobs/projects.ts';
import { updateJob } from '../../src/domain/jobs/update.ts';
import { claimableCounts } from '../../src/realtime/claimable-counts.ts';
import { jobChanges, jobsChanges } from '../../src/realtime/live-lists.ts';
import { feedStream } from '../../src/realtime/streams.ts';
import type { EventRow } from '../../src/store/schema/tables.ts';
import { describeOnGround, type Ground } from '../support/ground.ts';
import { admin } from '../support/seed.ts';

describeOnGround('The feed', (on) => {
  const openFeed = ({ seed, wakeups }: Ground, after: string | null = null, types: EventRow['type'][] | null = null) =>
    feedStream(seed.domain, wakeups, admin, { filter: { projectId: seed.project.id, types }, after });
  /** Reads until this many events have come. */
  async function readEvents(ground: Ground, count: number, after: string | null = null, isImpatient = false) {
    const rows: EventRow[] = [];
    for (let cursor = after; rows.length < count; ) {
      const stream = await openFeed(ground, cursor);
      do {
        const { value } = await stream.next();
        if (!value) throw new Error('The feed does not end.');
        rows.push(...value.rows);
        cursor = value.cursor;
      } while (rows.length < count && !isImpatient);
      await stream.return?.();
      await new Promise(setImmediate);
    }
    return rows;
  }

  test('delivers events of all jobs in commit order, each once, to subscribers that stay and that come and go (P7)', async () => {
    const ground = on();
    const { seed } = ground;
    const jobs = 12;
    // Its creation, and three changes of two steps and of the job.
    const count = jobs * 5;
    const staying = readEvents(ground, count);
    const restless = readEvents(ground, count, null, true);
    const run = async () => {
      const made = await seed.createJob();
      const { lease } = await seed.claim(made);
      await completeStep(seed.domain, admin, { leaseToken: lease.token });
      return made.job.id;
    };
    const ids = await Promise.all(Array.from({ length: jobs }, run));
    const all = await staying;
    expect(await restless).toEqual(all);
    const positions = all.map(({ position }) => position);
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    for (const id of ids) expect(all.filter(({ jobId }) => jobId === id).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test('delivers only one project, or only the requested types, if asked to', async () => {
    const ground = on();
    const { seed } = ground;
    const { project } = await createProject(seed.domain, admin, { name: 'Other' });
    await seed.createJob(1, { projectId: project.id });
    const stream = await openFeed(ground, null, ['JOB_CREATED']);
    expect(await stream.next()).toMatchObject({ value: { state: 'LIVE', rows: [] } });
    const next = stream.next();
    await seed.createJob(1, { projectId: project.id });
    const { job } = await seed.createJob();
    await seed.claim(job);
    const { value } = await next;
    expect(value?.rows.map(({ type, jobId }) => [type, jobId])).toEqual([['JOB_CREATED', job.id]]);
    await stream.return?.();
  });
});

describeOnGround('A subscription to current state', (on) => {
  test('delivers each job of a live list, only in its newest state however often it changed (P9)', async () => {
    const { seed, wakeups } = on();
    const { job: old } = await seed.createJob(1, { name: 'old' });
    seed.clock.advance(1_000);
    const { job } = await seed.createJob(1, { name: 'new' });
    const stream = await jobsChanges(seed.domain, wakeups, admin, { projectId: seed.project.id });
    const first = [await stream.next(), await stream.next()];
    expect(first.map(({ value }) => value?.id).sort()).toEqual([old.id, job.id].sort());
    for (let i = 1; i <= 30; i++) await updateJob(seed.domain, admin, { jobId: job.id, statusMessage: `message ${i}` });
    let told = 0;
    let message: string | null | undefined = null;
    while (message !== 'message 30') {
      const { value } = await stream.next();
      if (value?.id !== job.id) continue;
      message = value.statusMessage;
      told++;
    }
    // One, unless events were still waiting for their positions in the feed.
    expect(told).toBeLessThan(15);
    const { job: third } = await seed.createJob();
    for (let id: string | undefined; id !== third.id; ) id = (await stream.next()).value?.id;
    await stream.return?.();
    expect(wakeups.size).toBe(0);
  });

  test('delivers one job, only in its newest state', async () => {
    const { seed, wakeups } = on();
    const { job } = await seed.createJob();
    const stream = jobChanges(seed.domain, wakeups, job.id);
    await stream.next();
    for (let i = 1; i <= 30; i++) await updateJob(seed.domain, admin, { jobId: job.id, statusMessage: `message ${i}` });
    expect((await stream.next()).value).toMatchObject({ statusMessage: 'message 30' });
    const next = stream.next();
    await seed.claim(job);
    expect((await next).value).toMatchObject({ status: 'RUNNING' });
    await stream.return?.();
  });

  test('delivers the number of steps that a device could claim, as soon as it changes', async () => {
    const { seed, wakeups } = on();
    const one = await seed.registerDevice({ resources: { cpu: 1 } });
    const stream = claimableCounts(seed.domain, wakeups, one.device.id);
    const told = async () => (await stream.next()).value;
    expect(await told()).toBe(0);
    const more = told();
    const { job } = await seed.createJob();
    expect(await more).toBe(1);
    const none = told();
    // A step that the device cannot run does not wake it.
    await seed.createJob([{ name: 'Large', resources: { cpu: 2 } }]);
    const { lease } = await seed.claim(job, 0, one);
    expect(await none).toBe(0);
    const again = told();
    await completeStep(seed.domain, one.principal, { leaseToken: lease.token });
    const { job: cancelled } = await seed.createJob();
    expect(await again).toBe(1);
    // Claimed by another device, or cancelled: the subscriber hears of both.
    const gone = told();
    await cancelJob(seed.domain, admin, { jobId: cancelled.id, cancelTimeoutSeconds: 0 });
    expect(await gone).toBe(0);
    // One is claimed while another is queued, before anyone looks: the number is the same, and
    // there is work again.
    const { job: taken } = await seed.createJob();
    expect(await told()).toBe(1);
    await cancelJob(seed.domain, admin, { jobId: taken.id, cancelTimeoutSeconds: 0 });
    await seed.createJob();
    expect(await told()).toBe(1);
    await stream.return?.();
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });
});
