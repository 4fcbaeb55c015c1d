/** Ctrl-C, twice: the first asks a command to stop cleanly, the second ends it at once. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../agent/eventually.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { runCommand, startCommand } from './processes.ts';

const folder = createFolder('interrupt');
let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
  removeFolder(folder);
});

test('the second Ctrl-C ends an agent whose step does not stop', async () => {
  const settings = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey };
  const pidFile = join(folder, 'pid');
  const stubborn = `trap "" TERM; echo $$ > ${pidFile}; while :; do sleep 1; done`;
  expect(await runCommand(folder, ['submit', '--name', 'stubborn', '--command', stubborn], settings)).toMatchObject({ code: 0 });
  const agent = startCommand(folder, ['agent', '--grace-seconds', '600'], settings);
  const pid = await eventually(async () => Number((await readFile(pidFile, 'utf8')).trim()) || Promise.reject(new Error('Not yet.')));
  try {
    agent.kill('SIGINT');
    // Not merely for more output: a second signal before the first was handled would be one signal.
    await eventually(() => expect(agent.stderr() + agent.stdout()).toContain('Stopping'));
    agent.kill('SIGINT');
    // Killed by the signal, so there is no exit code.
    expect(await agent.ended).toBe(null);
  } finally {
    process.kill(-pid, 'SIGKILL');
  }
}, 180_000);
