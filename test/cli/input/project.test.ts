/** The default project of a command. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { runHere } from '../processes.ts';

let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, command: 'up', flags: ['--slots', '0'] });
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
});

const trainyard = (...args: string[]) => runHere(args, { TRAINYARD_DATA_DIR: database.folder });
const submit = async (...args: string[]) => {
  const { stdout, stderr } = await trainyard('submit', '--name', 'a', '--json', ...args, '--', 'true');
  return stdout === '' ? stderr : JSON.parse(stdout).job.project.name;
};
const credentials = async () => JSON.parse(await readFile(join(database.folder, 'credentials.json'), 'utf8'));

test('the project of the first start stays the default beside others, also after a restart', async () => {
  expect(await submit()).toBe('default');
  await trainyard('projects', 'create', 'examples');
  expect(await submit()).toBe('default');
  expect(await submit('--project', 'examples')).toBe('examples');
  const { projectId } = await credentials();
  await gateway.restart();
  expect((await credentials()).projectId).toBe(projectId);
  expect(await submit()).toBe('default');
  // Old credentials without a default, or lost ones.
  await rm(join(database.folder, 'credentials.json'));
  await gateway.restart();
  expect((await credentials()).projectId).toBe(projectId);
  // Another key has no default from this machine.
  const other = await runHere(['submit', '--name', 'a', '--', 'true'], { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey });
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('Choose a project') });
});
