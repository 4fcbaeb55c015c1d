/**
 * An object is deleted between two reads of one request: the answer says NOT_FOUND, not an internal
 * error (P14).
 */
import { createSourceEventStream, type ExecutionResult, execute, graphql, parse } from 'graphql';
import { expect, test } from 'vitest';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { setJobOutput } from '../../../src/domain/jobs/outputs.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { deleteJob } from '../../../src/domain/jobs/update.ts';
import { createContext } from '../../../src/schema/core/context.ts';
import { schema } from '../../../src/schema/index.ts';
import type { Queries } from '../../../src/store/store.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin, type SeededJob } from '../../support/seed.ts';

/**
 * The same domain, but `meanwhile` runs once, after the first reading statement whose name begins
 * with `name`.
 */
function interrupt(domain: Domain, name: string, meanwhile: () => Promise<unknown>): Domain {
  let isOver = false;
  const { read } = domain.store;
  const interrupted: Queries = {
    db: read.db,
    t: read.t,
    dialect: read.dialect,
    async run(query, values) {
      const rows = await read.run(query, values);
      if (isOver || !query.name.startsWith(name)) return rows;
      isOver = true;
      await meanwhile();
      return rows;
    },
    runUnnamed: (build) => read.runUnnamed(build),
  };
  const store = new Proxy(domain.store, {
    get(target, name) {
      if (name === 'read') return interrupted;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { ...domain, store };
}

describeOnGround('A job that is deleted while it is read', (on) => {
  /** An ended job with a metric and an ended lease. */
  async function endedJob(): Promise<SeededJob> {
    const { seed } = on();
    const job = await seed.createJob(1, { items: [{ name: 'epochs', value: '3', valueType: 'INT' }] });
    const { lease } = await seed.claim(job);
    await reportMetrics(seed.domain, admin, { leaseToken: lease.token, metrics: [{ name: 'loss', value: 0.5 }] });
    await cancelJob(seed.domain, admin, { jobId: job.job.id, cancelTimeoutSeconds: 0 });
    return job;
  }

  async function ask(job: SeededJob, name: string, source: string, variableValues: Record<string, unknown>): Promise<ExecutionResult> {
    const { seed, wakeups } = on();
    const domain = interrupt(seed.domain, name, () => deleteJob(seed.domain, admin, { jobId: job.job.id }));
    return graphql({ schema, source, variableValues, contextValue: createContext({ domain, wakeups }, admin) });
  }

  const codesOf = ({ errors }: ExecutionResult) => errors?.map(({ extensions, path }) => [path?.join('.'), extensions.code]);

  test('is NOT_FOUND at the field that leads to it, if that cannot be null', async () => {
    const job = await endedJob();
    const id = job.steps[0]?.id;
    const answer = await ask(job, 'steps by id', 'query ($id: ID!) { node(id: $id) { id ... on Step { job { id } } } }', { id });
    expect(codesOf(answer)).toEqual([['node.job', 'NOT_FOUND']]);
    expect(answer.data).toEqual({ node: null });
  });

  test('nulls only the fields that need what was deleted with it', async () => {
    const job = await endedJob();
    const source = 'query ($id: ID!) { job(id: $id) { id metrics { name step { id } } } viewer { name } }';
    const answer = await ask(job, 'latest metrics', source, { id: job.job.id });
    expect(codesOf(answer)).toEqual([['job.metrics.0.step', 'NOT_FOUND']]);
    expect(answer.data).toMatchObject({ job: null, viewer: { name: 'user:admin' } });
  });

  test('sends NOT_FOUND on a subscription whose frame was being read, which then ends', async () => {
    const { seed, wakeups } = on();
    const { job } = await endedJob();
    const domain = interrupt(seed.domain, 'events between', () => deleteJob(seed.domain, admin, { jobId: job.id }));
    const document = parse('subscription ($id: ID!) { jobStatus(jobId: $id) { state history { status } } }');
    const variableValues = { id: job.id };
    // A new context for each frame, as in the server.
    const context = () => createContext({ domain, wakeups }, admin);
    const frames = await createSourceEventStream({ schema, document, variableValues, contextValue: context() });
    if (!(Symbol.asyncIterator in frames)) throw new Error(JSON.stringify(frames));
    const codes: unknown[] = [];
    for await (const rootValue of frames) {
      const { errors } = await execute({ schema, document, variableValues, rootValue, contextValue: context() });
      codes.push(errors?.[0]?.extensions.code);
    }
    expect(codes).toEqual(['NOT_FOUND']);
    expect(wakeups.size).toBe(0);
  });

  test('answers NOT_FOUND to output that is reported for it', async () => {
    const { seed } = on();
    const running = await seed.createJob();
    const domain = interrupt(seed.domain, 'job by id', async () => {
      await cancelJob(seed.domain, admin, { jobId: running.job.id, cancelTimeoutSeconds: 0 });
      await deleteJob(seed.domain, admin, { jobId: running.job.id });
    });
    const refusal = await refusalOf(setJobOutput(domain, admin, { jobId: running.job.id, output: { accuracy: 1 } }));
    expect(refusal).toMatchObject({ code: 'NOT_FOUND', id: running.job.id });
  });
});

describeOnGround('Output for a job of an id that none can have', (on) => {
  test.each(['', 'job_', '\0', 'job_\0'])('is NOT_FOUND: %j (P14)', async (jobId) => {
    const refusal = await refusalOf(setJobOutput(on().seed.domain, admin, { jobId, output: {} }));
    expect(refusal).toMatchObject({ code: 'NOT_FOUND', id: jobId });
  });
});

describeOnGround('A page of events of which nothing may be seen', (on) => {
  const source = 'query ($filter: EventFilter, $after: Cursor) { events(filter: $filter, after: $after) { endCursor events { cursor } } }';

  test.each([
    ['a job that is none', () => ({ jobId: 'job_00000000000000000000000000' })],
    ['a job of another project', (ids: { other: string; job: string }) => ({ jobId: ids.job, projectId: ids.other })],
  ])('refuses a cursor that its stream never gave: %s', async (_, filterOf) => {
    const { seed, wakeups } = on();
    const { job } = await seed.createJob();
    const { project: other } = await createProject(seed.domain, admin, { name: 'Other' });
    const filter = filterOf({ other: other.id, job: job.id });
    const ask = (after: string | null) =>
      graphql({ schema, source, variableValues: { filter, after }, contextValue: createContext({ domain: seed.domain, wakeups }, admin) });
    expect((await ask(null)).data).toEqual({ events: { endCursor: null, events: [] } });
    expect((await ask('never-given')).errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
  });
});
