/** The gateway as a process: how it starts, why it does not, and that it continues where it was. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import pg from 'pg';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { migrationsOf } from '../src/store/migrations.ts';
import { migrateFile } from '../src/store/sqlite/file.ts';
import { createPostgresDatabase, createSqliteDatabase, querySql, type TestDatabase } from './support/databases.ts';
import { type Gateway, type GatewayOptions, startGateway } from './support/gateway.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function createDatabase(create: () => Promise<TestDatabase>): Promise<TestDatabase> {
  const database = await create();
  ending.push(() => database.remove());
  return database;
}

async function start(options: GatewayOptions): Promise<Gateway> {
  const gateway = await startGateway(options);
  ending.push(() => gateway.stop());
  return gateway;
}

/** The message of a gateway that cannot start, before it ends with 1. */
async function refusalOf(options: GatewayOptions): Promise<string> {
  const failure = await startGateway(options).then(
    async (gateway) => {
      await gateway.stop();
      throw new Error('The gateway started.');
    },
    (error: unknown) => String(error),
  );
  const [, output = ''] = /^Error: The gateway ended with 1:\n([\s\S]*)$/.exec(failure) ?? [];
  // Without lines of the log, if it got so far.
  const said = output.replaceAll(/^\{"level".*\n/gm, '');
  // One line. After a wrong flag, a second line says where to look flags up.
  expect(said, failure).toMatch(/^[^\n]+\n(See trainyard \w+ --help\.\n)?$/);
  return said.trim();
}

async function ask(gateway: Gateway, query: string, variables: object = {}, key = gateway.adminKey): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  });
  const body: unknown = await response.json();
  if (!(body instanceof Object) || !('data' in body) || !(body.data instanceof Object)) throw new Error(JSON.stringify(body));
  return { ...body.data };
}

const createProject =
  'mutation ($name: String!) { createProject(input: { name: $name }) { __typename ... on CreateProjectPayload { project { id name } } } }';

test('A gateway reports that it is ready once it accepts TRAINYARD_ADMIN_KEY, and not before (P11)', async () => {
  const database = await createDatabase(createPostgresDatabase);
  const first = await startGateway({ database });
  const { port } = first;
  await first.stop();
  const holder = new pg.Client({ connectionString: database.url ?? '' });
  await holder.connect();
  ending.push(() => holder.end());
  // From now on no key can be stored.
  await holder.query('begin; lock table api_keys in share row exclusive mode');
  const adminKey = 'tyk_another-0123456789';
  const starting = start({ database, flags: ['--port', String(port)], env: { TRAINYARD_ADMIN_KEY: adminKey } });
  const ready = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
    return [response.status, await response.json()];
  };
  await vi.waitFor(async () => expect(await ready()).toEqual([503, { status: 'starting' }]), 30_000);
  await holder.query('rollback');
  await vi.waitFor(async () => expect((await ready())[0]).toBe(200), 30_000);
  expect(await ask(await starting, '{ viewer { kind } }', {}, adminKey)).toEqual({ viewer: { kind: 'USER' } });
});

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('A gateway on $dialect', ({ dialect, create }) => {
  test('treats another TRAINYARD_ADMIN_KEY as a rotation, and refuses one that has ended (P15)', async () => {
    const database = await createDatabase(create);
    const [first, second] = ['tyk_first-0123456789', 'tyk_second-0123456789'];
    const startWith = (key: string) => startGateway({ database, env: { TRAINYARD_ADMIN_KEY: key } });
    await (await startWith(first)).stop();
    const gateway = await startWith(second);
    const keys = '{ apiKeys(kinds: [USER]) { nodes { id name createdBy state expiresAt replacedBy { id } } } }';
    const answer = await ask(gateway, keys, {}, first);
    const { nodes } = answer.apiKeys as { nodes: { id: string }[] }; // selected above
    const made = { name: 'operator', createdBy: 'setting:TRAINYARD_ADMIN_KEY', state: 'LIVE' };
    expect(nodes).toEqual([
      { id: expect.any(String), ...made, expiresAt: null, replacedBy: null },
      { id: expect.any(String), ...made, expiresAt: expect.any(String), replacedBy: { id: nodes[0]?.id } },
    ]);
    const revoke = 'mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { __typename } }';
    await ask(gateway, revoke, { id: nodes[1]?.id }, second);
    await gateway.stop();
    const said = await refusalOf({ database, env: { TRAINYARD_ADMIN_KEY: first } });
    expect(said).toBe(`TRAINYARD_ADMIN_KEY is ${nodes[1]?.id}, which is REVOKED: choose another.`);
  });

  test('prints its address and its database', async () => {
    const gateway = await start({ database: await createDatabase(create) });
    expect(gateway.output()).toMatch(
      new RegExp(`^(Open the console, signed in: \\S+\n)?Trainyard is at ${gateway.url} on ${dialect} \\S+\\.\n`),
    );
    expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(200);
  });

  test('keeps what it answered across SIGKILL (P1)', async () => {
    const gateway = await start({ database: await createDatabase(create) });
    const created = await ask(gateway, createProject, { name: 'Kept' });
    await gateway.restart();
    const { projects } = await ask(gateway, '{ projects(first: 10) { nodes { name } } }');
    expect(JSON.stringify(created)).toContain('Kept');
    expect(projects).toMatchObject({ nodes: expect.arrayContaining([{ name: 'Kept' }]) });
  });

  test('ends with 0 within 15 s of SIGTERM (P11)', async () => {
    const gateway = await start({ database: await createDatabase(create) });
    const before = performance.now();
    expect(await gateway.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(15_000);
  });

  test('refuses a database that a newer version wrote, and changes nothing', async () => {
    const database = await createDatabase(create);
    const store = await database.open();
    await store.write(async ({ db, t }) => db.insert(t.meta).values({ key: 'note', value: 'kept' }));
    await store.close();
    const future = `insert into ${database.url ? 'drizzle.' : ''}__drizzle_migrations (hash, created_at) values ('of the future', 9000000000000)`;
    if (database.url) await querySql(database.url, future);
    else await writeSqlite(database.file, future);
    expect(await refusalOf({ database })).toMatch(/newer version of Trainyard/);
    await (database.url ? querySql(database.url, undo(future)) : writeSqlite(database.file, undo(future)));
    const again = await database.open();
    const notes = await again.read.db.select().from(again.tables.meta);
    expect(notes).toContainEqual({ key: 'note', value: 'kept' });
  });
});

const undo = (insert: string) => insert.replace(/^insert into (\S+) .*$/, `delete from $1 where hash = 'of the future'`);

async function writeSqlite(file: string, statement: string): Promise<void> {
  const database = new SqliteDatabase(file);
  database.exec(statement);
  database.close();
}

describe('A gateway', () => {
  test('refuses a port that is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    ending.push(async () => taken.close());
    const address = taken.address();
    const port = address instanceof Object ? address.port : 0;
    const database = await createDatabase(createSqliteDatabase);
    expect(await refusalOf({ database, flags: ['--port', String(port)] })).toContain(String(port));
    // A taken address of the metrics, too: the process ends by itself.
    expect(await refusalOf({ database, flags: ['--metrics-address', `127.0.0.1:${port}`] })).toContain(String(port));
    // The refusal left the data unchanged, so a start on the freed port succeeds.
    taken.close();
    await start({ database });
  });

  test('that does not start because of its documents or a taken port leaves a store of an older version unchanged, byte for byte', async () => {
    const database = await createDatabase(createSqliteDatabase);
    const older = new SqliteDatabase(database.file);
    migrateFile(older, { most: migrationsOf('sqlite').known - 1 });
    older.close();
    const readFolder = () => readdirSync(database.folder).map((name) => [name, readFileSync(join(database.folder, name)).toString('hex')]);
    const before = readFolder();
    const documents = join((await createDatabase(createSqliteDatabase)).folder, 'documents.json');
    writeFileSync(documents, '[');
    expect(await refusalOf({ database, flags: ['--documents', documents] })).toContain(documents);
    expect(readFolder()).toEqual(before);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    ending.push(async () => taken.close());
    const address = taken.address();
    const port = address instanceof Object ? address.port : 0;
    for (const flags of [
      ['--port', String(port)],
      ['--metrics-address', `127.0.0.1:${port}`],
    ]) {
      expect(await refusalOf({ database, flags })).toContain(String(port));
      expect(readFolder()).toEqual(before);
    }
  });

  test('refuses a data folder that is a file', async () => {
    const { folder } = await createDatabase(createSqliteDatabase);
    const file = join(folder, 'file');
    writeFileSync(file, 'mine');
    expect(await refusalOf({ database: { folder: file, url: null } })).toContain(file);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('refuses data that another gateway has open', async () => {
    const database = await createDatabase(createSqliteDatabase);
    const first = await start({ database });
    expect(await refusalOf({ database })).toMatch(/^Another gateway is using /);
    expect((await fetch(`${first.url}/health/ready`)).status).toBe(200);
  });

  test('refuses a file that is not a database', async () => {
    const database = await createDatabase(createSqliteDatabase);
    writeFileSync(database.file, 'Dear diary, '.repeat(100));
    expect(await refusalOf({ database })).toMatch(/is not a SQLite database\.$/);
    expect(readFileSync(database.file, 'utf8')).toBe('Dear diary, '.repeat(100));
  });

  test('refuses a PostgreSQL that does not answer', async () => {
    const { folder } = await createDatabase(createSqliteDatabase);
    expect(await refusalOf({ database: { folder, url: 'postgres://nobody:secret@127.0.0.1:1/none' } })).toMatch(
      /^PostgreSQL cannot be used: /,
    );
  });

  test.each([
    ['--port', 'none'],
    ['--port', '70000'],
    ['--database-url', 'mysql://localhost/x'],
    ['--no-such-flag', '1'],
  ])('refuses %s %s', async (flag, value) => {
    const database = await createDatabase(createSqliteDatabase);
    expect(await refusalOf({ database, flags: [flag, value] })).toContain(flag);
    expect(readdirSync(database.folder)).toEqual([]);
  });

  test('prints no secret except the link that it shows once', async () => {
    const gateway = await start({ database: await createDatabase(createSqliteDatabase) });
    await ask(gateway, '{ viewer { name } }');
    expect(gateway.output()).not.toContain(gateway.adminKey);
  });
});
