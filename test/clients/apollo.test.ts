/**
 * Apollo Client's normalised cache with the gateway's ids and connections, set up as in
 * docs/clients.md.
 */
import { beforeAll, expect, test, vi } from 'vitest';
import { cancelJob, connect, jobsQuery, watchJob } from '../../examples/clients/apollo.ts';
import { CancelJobDocument, CreateJobDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { openLine, runJob, undo } from './scene.ts';

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

interface Jobs {
  readonly jobs: {
    readonly edges: readonly { readonly node: { readonly id: string; readonly name: string; readonly status: string } }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  };
}

test('Apollo Client joins the pages of a connection, and updates a job in them from a mutation and a subscription', async () => {
  const { projectId } = await runJob(gateway);
  const elsewhere = createRequester({ url: gateway.url, token: gateway.adminKey });
  const submit = async (name: string) => {
    const { createJob } = await elsewhere.request(CreateJobDocument, { input: { projectId, name } });
    return createJob.__typename === 'CreateJobPayload' ? createJob.job.id : '';
  };
  const [second, third] = [await submit('second'), await submit('third')];
  const line = await openLine(gateway);
  const client = await connect(line);
  undo.push(() => client.stop());

  const list = client.watchQuery<Jobs>({ query: jobsQuery, variables: { filter: { projectId } } });
  let shown: string[] = [];
  const watching = list.subscribe(({ data, dataState }) => {
    if (dataState === 'complete') shown = data.jobs.edges.map(({ node }) => `${node.name} ${node.status}`);
  });
  undo.push(() => watching.unsubscribe());
  await vi.waitFor(() => expect(shown).toEqual(['third QUEUED', 'second QUEUED']));
  const { data } = list.getCurrentResult();
  await list.fetchMore({ variables: { after: data?.jobs?.pageInfo?.endCursor } });
  await vi.waitFor(() => expect(shown).toEqual(['third QUEUED', 'second QUEUED', 'A job RUNNING']));

  expect(await cancelJob(client, third)).toBe('CANCELLED');
  await vi.waitFor(() => expect(shown).toEqual(['third CANCELLED', 'second QUEUED', 'A job RUNNING']));

  const live = watchJob(client, second);
  undo.push(() => live.unsubscribe());
  await elsewhere.request(CancelJobDocument, { input: { jobId: second } });
  await vi.waitFor(() => expect(shown).toEqual(['third CANCELLED', 'second CANCELLED', 'A job RUNNING']));
});
