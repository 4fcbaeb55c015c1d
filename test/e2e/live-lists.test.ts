/** A live list of jobs, followed while its gateway is killed (P7). */
import { afterEach, expect, test, vi } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { TypedDocumentString } from '../../src/client/generated.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface Frame {
  readonly cursor: string;
  readonly state: string;
  readonly missed: number;
  readonly jobs: readonly { readonly id: string; readonly status: string }[];
  readonly removedIds: readonly string[];
}
const filter = 'filter: { statuses: [QUEUED, RUNNING] }';
const list = new TypedDocumentString<{ jobList: Frame }, { after?: string | null }>(
  `subscription ($after: Cursor) { jobList(${filter}, after: $after) { cursor state missed jobs { id status } removedIds } }`,
);
const ofQuery = new TypedDocumentString<{ jobs: { nodes: { id: string; status: string }[] } }, Record<string, never>>(
  `{ jobs(first: 100, ${filter}) { nodes { id status } } }`,
);
const createProject = new TypedDocumentString<{ createProject: { project: { id: string } } }, Record<string, never>>(
  'mutation { createProject(input: { name: "Digits" }) { ... on CreateProjectPayload { project { id } } } }',
);
const ofJob = (text: string) => new TypedDocumentString<Record<string, { job: { id: string } }>, { id: string }>(text);
const create = ofJob(
  'mutation ($id: ID!) { a: createJob(input: { projectId: $id, name: "j" }) { ... on CreateJobPayload { job { id } } } }',
);
const cancel = ofJob('mutation ($id: ID!) { a: cancelJob(input: { jobId: $id }) { ... on CancelJobPayload { job { id } } } }');
const remove = ofJob('mutation ($id: ID!) { a: deleteJob(input: { jobId: $id }) { ... on DeleteJobPayload { deletedJobId } } }');

test.each([
  ['SQLite', createSqliteDatabase],
  ['PostgreSQL', createPostgresDatabase],
])('a live list on %s equals that of a query after its gateway was killed three times, with no removal lost', async (_, createDatabase) => {
  const database = await createDatabase();
  ending.push(() => database.remove());
  const gateway = await startGateway({ database });
  ending.push(() => gateway.stop());
  const client = createClient({ url: gateway.url, token: gateway.adminKey });
  ending.push(async () => client.close());
  const { id: projectId } = (await client.request(createProject, {})).createProject.project;
  const ids: string[] = [];
  const add = async () => ids.push((await client.request(create, { id: projectId })).a?.job.id ?? '');
  for (let i = 0; i < 5; i++) await add();

  const over = new AbortController();
  ending.push(async () => over.abort());
  const jobs = new Map<string, string>();
  const removed = new Set<string>();
  const left: string[] = [];
  let state = 'connecting';
  const onState = (now: string) => {
    state = now;
  };
  const reach = (wanted: string) => vi.waitFor(() => expect(state).toBe(wanted), 30_000);
  const following = (async () => {
    for await (const frame of client.subscribe(list, {}, { signal: over.signal, onState })) {
      expect(frame.missed).toBe(0);
      for (const { id, status } of frame.jobs) jobs.set(id, status);
      for (const id of frame.removedIds) {
        jobs.delete(id);
        removed.add(id);
      }
    }
  })();
  await vi.waitFor(() => expect(jobs.size).toBe(5), 30_000);
  for (let kills = 1; kills <= 3; kills++) {
    // Neither the client nor the database has time to tell of these.
    await add();
    const [deleted = '', cancelled = ''] = ids.splice(-2);
    for (const id of [deleted, cancelled]) await client.request(cancel, { id });
    await client.request(remove, { id: deleted });
    left.push(deleted, cancelled);
    await gateway.kill();
    await reach('reconnecting');
    await gateway.restart();
    await add();
    await reach('live');
  }
  await vi.waitFor(async () => {
    const { nodes } = (await client.request(ofQuery, {})).jobs;
    expect(Object.fromEntries(jobs)).toEqual(Object.fromEntries(nodes.map(({ id, status }) => [id, status])));
    expect(nodes.map(({ id }) => id)).toEqual(ids.toReversed());
    expect([...removed].toSorted()).toEqual(left.toSorted());
  }, 30_000);
  over.abort();
  await following;
});
