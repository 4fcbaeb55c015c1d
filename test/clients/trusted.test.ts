/**
 * The recipes of docs/clients.md for hashes and trusted documents, with other authors' clients,
 * against gateway processes.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gql } from '@apollo/client';
import { print } from 'graphql';
import relay from 'relay-runtime';
import { beforeAll, describe, expect, test } from 'vitest';
import { connectApollo, connectUrql, fetchTrusted } from '../../examples/clients/persisted.ts';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { runJob } from './scene.ts';

const { Environment, Network, RecordSource, Store, createOperationDescriptor } = relay;
const viewer = 'query Viewer {\n  viewer {\n    kind\n    __typename\n  }\n}';
const job = 'query JobStatus($id: ID!) {\n  job(id: $id) {\n    id\n    status\n    __typename\n  }\n}';
const lineOf = ({ url, adminKey: key }: Gateway) => ({ url, key });

/** A gateway on a new database, with these trusted documents if given. */
async function open(manifest?: object): Promise<{ gateway: Gateway; stop(): Promise<void> }> {
  const database = await createSqliteDatabase();
  const file = join(createFolder('documents'), 'documents.json');
  if (manifest) writeFileSync(file, JSON.stringify(manifest));
  const gateway = await startGateway({ database, flags: manifest ? ['--documents', file] : [] });
  return {
    gateway,
    async stop() {
      await gateway.stop();
      await database.remove();
    },
  };
}

describe('A gateway without trusted documents', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    const opened = await open();
    gateway = opened.gateway;
    return opened.stop;
  });

  test('serves queries and mutations of Apollo Client and urql by their hashes', async () => {
    const apollo = connectApollo(lineOf(gateway));
    const urql = connectUrql(lineOf(gateway));
    const create = (name: string) =>
      `mutation Create { createProject(input: { name: "${name}" }) { ... on CreateProjectPayload { project { name } } } }`;
    for (let i = 0; i < 2; i++) {
      const query = gql(viewer);
      expect((await apollo.query({ query, fetchPolicy: 'network-only' })).data).toMatchObject({ viewer: { kind: 'USER' } });
      expect((await urql.query(viewer, {}, { requestPolicy: 'network-only' })).data).toMatchObject({ viewer: { kind: 'USER' } });
    }
    expect((await apollo.mutate({ mutation: gql(create('Apollo')) })).data).toMatchObject({
      createProject: { project: { name: 'Apollo' } },
    });
    expect((await urql.mutation(create('urql'), {})).data).toMatchObject({ createProject: { project: { name: 'urql' } } });
    apollo.stop();
  });
});

describe("A gateway with Apollo's manifest", () => {
  const manifest = {
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations: [
      { id: 'viewer-1', name: 'Viewer', type: 'query', body: viewer },
      { id: 'job-1', name: 'JobStatus', type: 'query', body: job },
    ],
  };
  let gateway: Gateway;
  beforeAll(async () => {
    const opened = await open(manifest);
    gateway = opened.gateway;
    return opened.stop;
  });

  test('executes what Apollo Client requests by the ids in it, and nothing else', async () => {
    const apollo = connectApollo(lineOf(gateway), manifest);
    expect((await apollo.query({ query: gql(viewer) })).data).toMatchObject({ viewer: { kind: 'USER' } });
    const other = apollo.query({ query: gql('query Other { viewer { name } }') });
    await expect(other).rejects.toMatchObject({ errors: [{ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } }] });
    apollo.stop();
    expect((await ask(gateway, gateway.adminKey, '{ viewer { name } }')).errors?.[0]?.extensions.code).toBe('DOCUMENT_NOT_TRUSTED');
    expect((await ask(gateway, gateway.adminKey, '{ __schema { types { name } } }')).data).toBeUndefined();
  });

  test('serves agents and the command line as usual', async () => {
    const { write, complete, jobId } = await runJob(gateway);
    await write('a line');
    await complete();
    const apollo = connectApollo(lineOf(gateway), manifest);
    expect((await apollo.query({ query: gql(job), variables: { id: jobId } })).data).toMatchObject({ job: { status: 'SUCCEEDED' } });
    apollo.stop();
  });
});

describe('A gateway with trusted documents', () => {
  /** The output of its first start, which makes an admin key. */
  async function firstStart(manifest: object): Promise<string> {
    const database = await createSqliteDatabase();
    const file = join(database.folder, 'documents.json');
    writeFileSync(file, JSON.stringify(manifest));
    try {
      const gateway = await startGateway({ database, flags: ['--documents', file], env: { TRAINYARD_ADMIN_KEY: '' } });
      await gateway.stop();
      return gateway.output().replaceAll(file, 'FILE');
    } catch (error) {
      return String(error).replaceAll(file, 'FILE');
    } finally {
      await database.remove();
    }
  }

  test('prints its admin key at its first start, and no link to GraphiQL, which is off', async () => {
    const printed = await firstStart({ a: viewer });
    expect(printed).toContain('Admin key, shown this once: tyk_');
    expect(printed).toContain('Open the console');
    expect(printed).not.toContain('GraphiQL');
  });

  test.each([
    [
      "an id of the gateway's own",
      { 'sha256:trainyard/JobsDocument': viewer },
      `FILE: the id "trainyard/JobsDocument" is the gateway's own.`,
    ],
    [
      'a document that cannot be executed',
      { a: viewer, b: '{ nothing }' },
      'FILE: A trusted document cannot be executed.\n"b": Cannot query',
    ],
  ])('does not start with %s, and names FILE and the id', async (_, manifest, message) => {
    expect(await firstStart(manifest)).toContain(message);
  });
});

test('A gateway with the documents of graphql-codegen executes what urql requests by its hashes, and nothing else', async () => {
  const text = print(gql(viewer));
  const { gateway, stop } = await open({ [createHash('sha256').update(text).digest('hex')]: text });
  try {
    const urql = connectUrql(lineOf(gateway), true);
    expect((await urql.query(text, {})).data).toMatchObject({ viewer: { kind: 'USER' } });
    const { data, error } = await urql.query('query Other { viewer { name } }', {});
    expect([data, error?.graphQLErrors[0]?.extensions.code]).toEqual([undefined, 'DOCUMENT_NOT_TRUSTED']);
  } finally {
    await stop();
  }
});

test('A gateway with the documents of relay-compiler executes what Relay requests by their ids', async () => {
  const folder = createFolder('relay');
  const source = fileURLToPath(new URL('../../examples/clients/relay', import.meta.url));
  cpSync(source, folder, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder, 'relay.config.json'), 'utf8'));
  const schema = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
  cpSync(schema, join(folder, 'schema.graphql'));
  writeFileSync(
    join(folder, 'relay.config.json'),
    JSON.stringify({ ...config, schema: './schema.graphql', persistConfig: { file: './documents.json' } }),
  );
  writeFileSync(join(folder, 'documents.json'), '{}');
  const compiler = fileURLToPath(new URL('../../node_modules/relay-compiler/cli.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, 'relay.config.json'], { cwd: folder, encoding: 'utf8' });
  expect(status, `${stdout}${stderr}`).toBe(0);
  const documents = JSON.parse(readFileSync(join(folder, 'documents.json'), 'utf8'));
  const { gateway, stop } = await open(documents);
  try {
    const { jobId } = await runJob(gateway);
    const { default: compiled } = await import(join(folder, '__generated__/jobsFindQuery.graphql.ts'));
    expect(compiled.params).toMatchObject({ text: null, id: expect.any(String) });
    const environment = new Environment({ network: Network.create(fetchTrusted(lineOf(gateway))), store: new Store(new RecordSource()) });
    const operation = createOperationDescriptor(compiled, { id: jobId });
    const answer = await environment.execute({ operation }).toPromise();
    expect(answer).toMatchObject({ data: { job: { id: jobId, status: 'RUNNING' } } });
  } finally {
    await stop();
  }
});
