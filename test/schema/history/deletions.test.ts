/** What the events of all jobs tell of jobs that were deleted. */
import { expect, test } from 'vitest';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createProject, deleteProject } from '../../../src/domain/jobs/projects.ts';
import { deleteJob } from '../../../src/domain/jobs/update.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';
import { askAs } from '../ask.ts';
import { watchAs } from '../watch.ts';

interface Deletion {
  cursor: string;
  jobId: string;
  name: string;
  actor: string;
  projectId: string;
  project: { id: string } | null;
}
interface Frame {
  cursor: string;
  state: string;
  events: { job: { id: string } }[];
  deletions: Deletion[];
}
const parts = 'events { job { id } } deletions { cursor jobId name actor projectId project { id } }';
const subscription = `subscription ($filter: EventFilter, $after: Cursor) {
  events(filter: $filter, after: $after) { cursor state ${parts} }
}`;
const page = `query ($filter: EventFilter, $after: Cursor) { events(filter: $filter, after: $after) { endCursor ${parts} } }`;

describeOnGround('The deletion of a job', (on) => {
  const endedJob = async (projectId = on().seed.project.id) => {
    const { seed } = on();
    const { job } = await seed.createJob(1, { projectId, name: 'Gone' });
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    return job;
  };
  const watch = (variables: Record<string, unknown>, principal = admin) =>
    watchAs(on().seed.domain, principal)<{ events: Frame }>(subscription, variables);
  /** Reads until a deletion comes. */
  async function firstDeletion(variables: Record<string, unknown>): Promise<Frame> {
    const stream = await watch(variables);
    for (;;) {
      const frame = (await stream.next())?.events;
      if (!frame) throw new Error('The events of all jobs do not end.');
      if (frame.deletions.length === 0) continue;
      await stream.end();
      return frame;
    }
  }

  test('is in the events of all jobs, live and in every later replay, with its id, name and project', async () => {
    const { seed } = on();
    const filter = { projectId: seed.project.id };
    const job = await endedJob();
    const live = firstDeletion({ filter });
    await deleteJob(seed.domain, admin, { jobId: job.id });
    const { deletions, events } = await live;
    expect(deletions).toMatchObject([
      { jobId: job.id, name: 'Gone', actor: 'user:admin', projectId: seed.project.id, project: { id: seed.project.id } },
    ]);
    expect(events.map((event) => event.job.id)).not.toContain(job.id);
    expect((await firstDeletion({ filter })).deletions).toEqual(deletions);
    const ask = askAs(seed.domain, admin);
    const read = async (variables: object) => (await ask<{ events: Frame }>(page, { filter, ...variables })).events;
    expect(await read({})).toMatchObject({ events: [], deletions });
    expect(await read({ after: deletions[0]?.cursor })).toMatchObject({ deletions: [] });
    expect(await read({ filter: { ...filter, types: ['JOB_DELETED'] } })).toMatchObject({ deletions });
    expect(await read({ filter: { ...filter, types: ['JOB_CREATED'] } })).toMatchObject({ deletions: [] });
  });

  test('with its project is in the events of all jobs, one for each job, and names no project', async () => {
    const { seed } = on();
    const { project } = await createProject(seed.domain, admin, { name: 'Short-lived' });
    const jobs = [await endedJob(project.id), await endedJob(project.id)];
    const { cursor } = await firstDeletionAfter(() => deleteProject(seed.domain, admin, { projectId: project.id }));
    const { deletions } = (await askAs(seed.domain, admin)<{ events: Frame }>(page, { after: cursor })).events;
    expect(new Set(deletions.map(({ jobId }) => jobId))).toEqual(new Set(jobs.map(({ id }) => id)));
    expect(deletions).toMatchObject(jobs.map(() => ({ projectId: project.id, project: null })));
  });

  /** The frame before the first one with a deletion, after this act. */
  async function firstDeletionAfter(act: () => Promise<unknown>): Promise<Frame> {
    const stream = await watch({});
    let last: Frame | undefined;
    while (last?.state !== 'LIVE') last = (await stream.next())?.events;
    await act();
    for (;;) {
      const next = (await stream.next())?.events;
      if (!last || !next) throw new Error('The events of all jobs do not end.');
      if (next.deletions.length > 0) break;
      last = next;
    }
    await stream.end();
    return last;
  }

  test('is hidden from keys of other projects', async () => {
    const { seed } = on();
    const { project } = await createProject(seed.domain, admin, { name: 'Other' });
    const job = await endedJob();
    const stream = await watch({}, { ...admin, role: 'VIEWER', projectId: project.id });
    expect((await stream.next())?.events).toMatchObject({ state: 'LIVE', deletions: [] });
    await deleteJob(seed.domain, admin, { jobId: job.id });
    const { job: own } = await seed.createJob(1, { projectId: project.id });
    expect((await stream.next())?.events).toMatchObject({ events: [{ job: { id: own.id } }], deletions: [] });
    await stream.end();
  });
});
