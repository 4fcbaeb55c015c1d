import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog, reportProgress } from '../../../src/domain/claims/progress.ts';
import { createFragment, deleteFragment } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { addSteps, deleteJob, updateJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';
import { type WatchAs, watchAs } from '../watch.ts';

interface FrameOf {
  cursor: string;
  state: string;
  missed: number;
  [list: string]: unknown;
}

describeOnEachStore('a subscription', (open) => {
  let seed: Seed;
  let ask: Ask;
  let watch: WatchAs;
  let job: SeededJob;

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    watch = watchAs(seed.domain, admin);
  });
  beforeEach(async () => {
    job = await seed.createJob(1);
  });

  describe('to the log', () => {
    const log = `subscription ($jobId: ID!, $after: Cursor) { log(jobId: $jobId, after: $after) { cursor state missed chunks { text cursor stepNumber attempt offset } } }`;

    test('delivers stored chunks, new ones and the end, and resumes from any cursor', async () => {
      const { lease } = await seed.claim(job);
      const say = (offset: number, text: string) =>
        appendLog(seed.domain, admin, { leaseToken: lease.token, chunks: [{ offset, text, stream: 'STDOUT' }] });
      await say(0, 'one\n');
      const frames = await watch<{ log: FrameOf & { chunks: { text: string; cursor: string }[] } }>(log, { jobId: job.job.id });
      const history = await frames.next();
      expect(history?.log).toMatchObject({ state: 'LIVE', missed: 0, chunks: [{ text: 'one\n', stepNumber: 0, attempt: 1, offset: 0 }] });
      await say(4, 'two\n');
      expect((await frames.next())?.log).toMatchObject({ state: 'LIVE', chunks: [{ text: 'two\n', offset: 4 }] });
      await completeStep(seed.domain, admin, { leaseToken: lease.token });
      const end = await frames.next();
      expect(end?.log).toMatchObject({ state: 'ENDED', chunks: [] });
      expect(await frames.next()).toBeNull();

      const later = await watch<{ log: FrameOf }>(log, { jobId: job.job.id, after: history?.log.chunks[0]?.cursor });
      expect((await later.next())?.log).toMatchObject({ state: 'ENDED', chunks: [{ text: 'two\n' }] });
      // A page continues from a frame's cursor, too.
      const page = await ask<{ job: { step: { log: { chunks: unknown[]; endCursor: string } } } }>(
        'query ($id: ID!, $after: Cursor) { job(id: $id) { step(number: 0) { log(after: $after) { chunks { text } endCursor } } } }',
        { id: job.job.id, after: history?.log.cursor },
      );
      expect(page.job.step.log).toMatchObject({ chunks: [{ text: 'two\n' }], endCursor: end?.log.cursor });
    });

    test('refuses an unknown job, and a cursor that the stream never issued (P8)', async () => {
      await expect(watch(log, { jobId: 'job_none' })).rejects.toThrow(/BAD_REQUEST/);
      await expect(watch(log, { jobId: job.job.id, after: 'bm9uZQ' })).rejects.toThrow(/BAD_REQUEST/);
      await expect(watchAs(seed.domain, null)(log, { jobId: job.job.id })).rejects.toThrow(/UNAUTHENTICATED/);
    });
  });

  test('to metrics delivers the requested names, and one to telemetry delivers samples', async () => {
    const { lease } = await seed.claim(job);
    const metrics = await watch<{ metrics: FrameOf }>(
      'subscription ($jobId: ID!) { metrics(jobId: $jobId, names: ["loss"]) { cursor state points { name value iteration stepNumber attempt } } }',
      { jobId: job.job.id },
    );
    const telemetry = await watch<{ telemetry: FrameOf }>(
      'subscription ($jobId: ID!) { telemetry(jobId: $jobId) { state samples { cpu memoryMb } } }',
      { jobId: job.job.id },
    );
    expect((await metrics.next())?.metrics).toMatchObject({ state: 'LIVE', points: [] });
    expect((await telemetry.next())?.telemetry).toMatchObject({ state: 'LIVE', samples: [] });
    await reportProgress(seed.domain, admin, {
      leaseToken: lease.token,
      metrics: [
        { name: 'accuracy', value: 0.5 },
        { name: 'loss', value: 0.1, iteration: 3 },
      ],
      telemetry: [{ cpu: 1, memoryMb: 2 }],
    });
    expect((await metrics.next())?.metrics).toMatchObject({
      points: [{ name: 'loss', value: 0.1, iteration: 3, stepNumber: 0, attempt: 1 }],
    });
    expect((await telemetry.next())?.telemetry).toMatchObject({ samples: [{ cpu: 1, memoryMb: 2 }] });
    await metrics.end();
    await telemetry.end();
  });

  test('to the status of a job delivers each change with the history up to it', async () => {
    const frames = await watch<{ jobStatus: FrameOf }>(
      'subscription ($jobId: ID!) { jobStatus(jobId: $jobId) { state history { status reason transitions { to } } transitions { from to reason cursor } } }',
      { jobId: job.job.id },
    );
    expect((await frames.next())?.jobStatus).toMatchObject({
      state: 'LIVE',
      history: { status: 'QUEUED', reason: 'CREATED' },
      transitions: [{ from: null, to: 'QUEUED', reason: 'CREATED' }],
    });
    await seed.claim(job);
    expect((await frames.next())?.jobStatus).toMatchObject({
      history: { status: 'RUNNING', transitions: [{ to: 'QUEUED' }, { to: 'RUNNING' }] },
      transitions: [{ from: 'QUEUED', to: 'RUNNING', reason: 'CLAIMED' }],
    });
    await cancelJob(seed.domain, admin, { jobId: job.job.id, cancelTimeoutSeconds: 0 });
    expect((await frames.next())?.jobStatus).toMatchObject({ state: 'ENDED', history: { status: 'CANCELLED' } });
    expect(await frames.next()).toBeNull();
  });

  describe('to events', () => {
    const fields = `__typename cursor at actor job { id }
      ... on JobStatusChangedEvent { jobFrom: from jobTo: to reason description exitCode }
      ... on StepStatusChangedEvent { stepFrom: from stepTo: to attempt reason step { number } }
      ... on StepsAddedEvent { steps { number } } ... on FragmentReadyEvent { fragment { filename } } ... on JobUpdatedEvent { changed }`;
    const events = `subscription ($filter: EventFilter, $after: Cursor) { events(filter: $filter, after: $after) { cursor state events { ${fields} } } }`;
    const eventsPage = `query ($filter: EventFilter, $after: Cursor, $first: Int) { events(filter: $filter, after: $after, first: $first) { events { ${fields} } endCursor hasMore } }`;
    interface Seen {
      __typename: string;
      cursor: string;
      [field: string]: unknown;
    }

    test('of one job delivers every kind of event, as its pages do', async () => {
      const { id } = job.job;
      const { steps } = await addSteps(seed.domain, admin, { jobId: id, steps: [{ name: 'more' }] });
      await updateJob(seed.domain, admin, { jobId: id, name: 'Other' });
      const { fragment } = await createFragment(seed.domain, admin, { jobId: id, filename: 'a.txt', type: 'DATA', text: 'hello' });
      const { lease } = await seed.claim(job);
      const frames = await watch<{ events: { events: Seen[]; state: string } }>(events, { filter: { jobId: id } });
      const frame = await frames.next();
      expect(frame?.events.events).toMatchObject([
        { __typename: 'JobCreatedEvent', actor: 'user:admin', job: { id } },
        { __typename: 'StepsAddedEvent', steps: [{ number: steps[0]?.number }] },
        { __typename: 'JobUpdatedEvent', changed: ['name'] },
        { __typename: 'FragmentReadyEvent', fragment: { filename: 'a.txt' } },
        { __typename: 'StepStatusChangedEvent', stepFrom: 'QUEUED', stepTo: 'RUNNING', attempt: 1, reason: 'CLAIMED', step: { number: 0 } },
        { __typename: 'JobStatusChangedEvent', jobFrom: 'QUEUED', jobTo: 'RUNNING', reason: 'CLAIMED' },
      ]);
      const paged: Seen[] = [];
      for (let after: string | null = null, hasMore = true; hasMore; ) {
        const page: { job: { events: { events: Seen[]; endCursor: string; hasMore: boolean } } } = await ask(
          `query ($id: ID!, $after: Cursor) { job(id: $id) { events(first: 4, after: $after) { events { ${fields} } endCursor hasMore } } }`,
          { id, after },
        );
        paged.push(...page.job.events.events);
        ({ endCursor: after, hasMore } = page.job.events);
      }
      expect(paged).toEqual(frame?.events.events);
      const typed = await ask<{ events: { events: Seen[] } }>(eventsPage, { filter: { jobId: id, types: ['JOB_UPDATED', 'JOB_CREATED'] } });
      expect(typed.events.events.map(({ __typename }) => __typename)).toEqual(['JobCreatedEvent', 'JobUpdatedEvent']);

      // A deleted fragment does not remove its event.
      await deleteFragment(seed.domain, admin, { fragmentId: fragment.id });
      const after = await watch<{ events: { events: Seen[] } }>(events, { filter: { jobId: id } });
      expect((await after.next())?.events.events).toHaveLength(5);
      await completeStep(seed.domain, admin, { leaseToken: lease.token });
      await frames.end();
      await after.end();
    });

    test('across jobs delivers in commit order, resumes from any cursor, and leaves out deleted objects', async () => {
      const whole = await watch<{ events: { events: Seen[]; state: string; cursor: string } }>(events, {
        filter: { types: ['JOB_CREATED'] },
      });
      const seen: Seen[] = [];
      let frame = await whole.next();
      for (; frame?.events.state === 'REPLAYING'; frame = await whole.next()) seen.push(...frame.events.events);
      seen.push(...(frame?.events.events ?? []));
      const gone = await seed.createJob(1);
      const next = await seed.createJob(1);
      while (!seen.some(({ job }) => (job as { id: string }).id === next.job.id)) seen.push(...((await whole.next())?.events.events ?? []));
      expect(seen.slice(-2).map(({ job }) => (job as { id: string }).id)).toEqual([gone.job.id, next.job.id]);

      await cancelJob(seed.domain, admin, { jobId: gone.job.id, cancelTimeoutSeconds: 0 });
      await deleteJob(seed.domain, admin, { jobId: gone.job.id });
      const after = seen.at(-3)?.cursor;
      const page = await ask<{ events: { events: Seen[] } }>(eventsPage, { filter: { types: ['JOB_CREATED'] }, after });
      expect(page.events.events.map(({ job }) => (job as { id: string }).id)).toEqual([next.job.id]);
      const resumed = await watch<{ events: { events: Seen[] } }>(events, { filter: { types: ['JOB_CREATED'] }, after });
      expect((await resumed.next())?.events.events).toEqual(page.events.events);
      await whole.end();
      await resumed.end();
    });

    test('shows a key only what it may see (P15)', async () => {
      const stranger = { ...admin, role: 'VIEWER' as const, projectId: 'proj_00000000000000000000000000' };
      const none = { events: { events: [], endCursor: null, hasMore: false } };
      expect(await askAs(seed.domain, stranger)(eventsPage)).toEqual(none);
      expect(await askAs(seed.domain, stranger)(eventsPage, { filter: { projectId: seed.project.id } })).toEqual(none);
      expect(await askAs(seed.domain, stranger)(eventsPage, { filter: { jobId: job.job.id } })).toEqual(none);
      for (const filter of [{ projectId: seed.project.id }, { jobId: job.job.id }]) {
        await expect(watchAs(seed.domain, stranger)(events, { filter })).rejects.toThrow(/BAD_REQUEST/);
      }
      const ofJob = watchAs(seed.domain, await seed.principalOf(job.token));
      const frames = await ofJob<{ events: { events: Seen[] } }>(events);
      expect((await frames.next())?.events.events).toMatchObject([{ job: { id: job.job.id } }]);
      await frames.end();
    });
  });

  test('to one job delivers it at once, and after each change of it or its steps, until it is deleted', async () => {
    const frames = await watch<{ jobUpdated: unknown }>(
      'subscription ($jobId: ID!) { jobUpdated(jobId: $jobId) { status name steps { status } } }',
      { jobId: job.job.id },
    );
    expect(await frames.next()).toMatchObject({ jobUpdated: { status: 'QUEUED', steps: [{ status: 'QUEUED' }] } });
    await seed.claim(job);
    expect(await frames.next()).toMatchObject({ jobUpdated: { status: 'RUNNING', steps: [{ status: 'RUNNING' }] } });
    await cancelJob(seed.domain, admin, { jobId: job.job.id, cancelTimeoutSeconds: 0 });
    expect(await frames.next()).toMatchObject({ jobUpdated: { status: 'CANCELLED' } });
    await deleteJob(seed.domain, admin, { jobId: job.job.id });
    expect(await frames.next()).toBeNull();
  });

  test('to a list of jobs delivers the ones that match its filter, and each that changes', async () => {
    await updateJob(seed.domain, admin, { jobId: job.job.id, name: 'Watched' });
    const frames = await watch<{ jobsUpdated: unknown }>(
      'subscription ($filter: JobFilter) { jobsUpdated(filter: $filter) { id name priority } }',
      { filter: { nameContains: 'watched' } },
    );
    expect(await frames.next()).toEqual({ jobsUpdated: { id: job.job.id, name: 'Watched', priority: 0 } });
    await seed.createJob(1, { name: 'Not this one' });
    await updateJob(seed.domain, admin, { jobId: job.job.id, priority: 5 });
    expect(await frames.next()).toEqual({ jobsUpdated: { id: job.job.id, name: 'Watched', priority: 5 } });
    await frames.end();
  });

  test('to claimable steps by an operator leaves a device that is gone OFFLINE', async () => {
    const { device } = await seed.registerDevice({});
    seed.clock.advance(3_600_000);
    const seen = () => ask<unknown>('query ($id: ID!) { device(id: $id) { lastSeenAt status } }', { id: device.id });
    const before = await seen();
    expect(before).toMatchObject({ device: { status: 'OFFLINE' } });
    const counts = await watch<{ claimableSteps: number }>('subscription ($id: ID!) { claimableSteps(deviceId: $id) }', { id: device.id });
    expect(await counts.next()).toEqual({ claimableSteps: expect.any(Number) });
    await counts.end();
    expect(await seen()).toEqual(before);
  });

  test('to claimable steps counts them, and their list is in the order of claims', async () => {
    const { project } = await createProject(seed.domain, admin, { name: 'Of its own' });
    const device = await seed.registerDevice({ projectId: project.id, resources: { cpu: 4 } });
    const make = async (name: string, priority: number, cpu = 1) => {
      const { job } = await seed.createJob([{ name, resources: { cpu } }], { projectId: project.id, priority });
      seed.clock.advance(1_000);
      return job;
    };
    for (const [name, priority] of [
      ['low', -1],
      ['old', 0],
      ['new', 0],
      ['high', 7],
    ] as const)
      await make(name, priority);
    await make('too large', 9, 8);
    const claimable = `query ($filter: ClaimableStepFilter, $first: Int, $after: String) {
      claimableSteps(filter: $filter, first: $first, after: $after) { nodes { name } totalCount pageInfo { hasNextPage endCursor } } }`;
    interface Page {
      claimableSteps: { nodes: { name: string }[]; totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string } };
    }
    const filter = { deviceId: device.device.id };
    const first = await ask<Page>(claimable, { filter, first: 3 });
    const rest = await ask<Page>(claimable, { filter, first: 3, after: first.claimableSteps.pageInfo.endCursor });
    const names = [first, rest].flatMap(({ claimableSteps }) => claimableSteps.nodes.map(({ name }) => name));
    expect(names).toEqual(['high', 'old', 'new', 'low']);
    expect(first.claimableSteps).toMatchObject({ totalCount: 4, pageInfo: { hasNextPage: true } });
    const ofProject = await ask<Page>(claimable, { filter: { projectId: project.id }, first: 1 });
    expect(ofProject.claimableSteps).toMatchObject({ nodes: [{ name: 'too large' }], totalCount: 5 });

    const counts = await watch<{ claimableSteps: number }>('subscription ($deviceId: ID!) { claimableSteps(deviceId: $deviceId) }', {
      deviceId: device.device.id,
    });
    expect(await counts.next()).toEqual({ claimableSteps: 4 });
    await make('another', 0);
    expect(await counts.next()).toEqual({ claimableSteps: 5 });
    await counts.end();

    const { node } = await ask<{ node: unknown }>(
      'query ($id: ID!, $deviceId: ID!) { node(id: $id) { ... on Job { steps { whyNot(deviceId: $deviceId) { requirement device { id } } } } } }',
      { id: (await make('large', 0, 8)).id, deviceId: device.device.id },
    );
    expect(node).toMatchObject({ steps: [{ whyNot: [{ requirement: 'cpu', device: { id: device.device.id } }] }] });
  });
});
