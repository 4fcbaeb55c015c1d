/**
 * Relay's compiler with the schema, and its store with the gateway's connections and ids, set up as
 * in docs/clients.md.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import relay, { type IEnvironment, type ReaderFragment } from 'relay-runtime';
import { beforeAll, expect, test, vi } from 'vitest';
import jobFragment from '../../examples/clients/relay/__generated__/jobs_job.graphql.ts';
import listFragment from '../../examples/clients/relay/__generated__/jobs_query.graphql.ts';
import paginationQuery from '../../examples/clients/relay/__generated__/jobsPaginationQuery.graphql.ts';
import pageQuery from '../../examples/clients/relay/__generated__/jobsQuery.graphql.ts';
import refetchQuery from '../../examples/clients/relay/__generated__/jobsRefetchQuery.graphql.ts';
import { cancelJob, connect, findJob, watchJob } from '../../examples/clients/relay.ts';
import { CancelJobDocument, CreateJobDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { openLine, runJob, undo } from './scene.ts';

const { createOperationDescriptor, fetchQuery, getSingularSelector } = relay;

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

test('relay-compiler compiles operations with connections, node, refusals and subscriptions to the files in the checkout', () => {
  const compiler = fileURLToPath(new URL('../../node_modules/relay-compiler/cli.js', import.meta.url));
  const cwd = fileURLToPath(new URL('../../examples/clients/relay', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, '--validate', 'relay.config.json'], { cwd, encoding: 'utf8' });
  expect(status, `Run npm run relay.\n${stdout}${stderr}`).toBe(0);
  expect(`${stdout}${stderr}`).not.toMatch(/warn|error/i);
});

/** The data that a component with this fragment gets for this reference. */
function read<Key>(environment: IEnvironment, fragment: ReaderFragment, reference: Key): unknown {
  const selector = getSingularSelector(fragment, reference);
  if (!selector) throw new Error('The reference is not of this fragment.');
  return environment.lookup(selector).data;
}

/** The list that a component with `jobs_query` shows now. */
function showList(environment: IEnvironment, filter: { projectId: string }): { jobs: string[]; next: string | null } {
  const root = environment.lookup(createOperationDescriptor(pageQuery, { filter }).fragment).data;
  const { jobs } = read(environment, listFragment, root) as List;
  const shown = jobs.edges.map(({ node }) => {
    const { name, status } = read(environment, jobFragment, node) as { name: string; status: string };
    return `${name} ${status}`;
  });
  return { jobs: shown, next: jobs.pageInfo.hasNextPage ? jobs.pageInfo.endCursor : null };
}

/** What the fragment selects. */
interface List {
  readonly jobs: {
    readonly edges: readonly { readonly node: unknown }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  };
}

test('Relay joins the pages of a connection, refetches a node, and updates it from a mutation and a subscription', async () => {
  const { projectId } = await runJob(gateway);
  const elsewhere = createRequester({ url: gateway.url, token: gateway.adminKey });
  const submit = async (name: string) => {
    const { createJob } = await elsewhere.request(CreateJobDocument, { input: { projectId, name } });
    return createJob.__typename === 'CreateJobPayload' ? createJob.job.id : '';
  };
  const [second, third] = [await submit('second'), await submit('third')];
  const filter = { projectId };
  const environment = connect(await openLine(gateway));
  environment.retain(createOperationDescriptor(pageQuery, { filter }));

  await fetchQuery(environment, pageQuery, { filter }).toPromise();
  const { jobs, next } = showList(environment, filter);
  expect(jobs).toEqual(['third QUEUED', 'second QUEUED']);
  await fetchQuery(environment, paginationQuery, { filter, first: 2, after: next }).toPromise();
  expect(showList(environment, filter)).toEqual({ jobs: ['third QUEUED', 'second QUEUED', 'A job RUNNING'], next: null });

  expect(await cancelJob(environment, third)).toBe('CANCELLED');
  expect(showList(environment, filter).jobs[0]).toBe('third CANCELLED');

  const live = watchJob(environment, second);
  undo.push(() => live.dispose());
  await elsewhere.request(CancelJobDocument, { input: { jobId: second } });
  await vi.waitFor(() => expect(showList(environment, filter).jobs[1]).toBe('second CANCELLED'));

  await ask(gateway, gateway.adminKey, 'mutation ($id: ID!) { updateJob(input: { jobId: $id, name: "renamed" }) { __typename } }', {
    id: third,
  });
  await fetchQuery(environment, refetchQuery, { id: third }).toPromise();
  expect(showList(environment, filter).jobs[0]).toBe('renamed CANCELLED');
});

test('Relay keeps the data of a job when that job is refused as not found', async () => {
  const { projectId } = await runJob(gateway);
  const elsewhere = createRequester({ url: gateway.url, token: gateway.adminKey });
  const { createJob } = await elsewhere.request(CreateJobDocument, { input: { projectId, name: 'short' } });
  const jobId = createJob.__typename === 'CreateJobPayload' ? createJob.job.id : '';
  await elsewhere.request(CancelJobDocument, { input: { jobId } });
  const environment = connect(await openLine(gateway));
  await findJob(environment, jobId);
  await ask(gateway, gateway.adminKey, 'mutation ($id: ID!) { deleteJob(input: { jobId: $id }) { __typename } }', { id: jobId });
  expect(await cancelJob(environment, jobId)).toMatch(/^NOT_FOUND: /);
  expect(environment.getStore().getSource().get(jobId)).toMatchObject({ __typename: 'Job', name: 'short' });
});
