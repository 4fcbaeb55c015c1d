/** Ctrl-C, twice: the first asks a command to stop cleanly, the second ends it at once. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../agent/eventually.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type CommandProcess, runCommand, startCommand } from './processes.ts';

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

/** An agent with a step that ignores SIGTERM. Its processes end with the test at the latest. */
async function startStubbornAgent(name: string): Promise<CommandProcess> {
  const settings = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey };
  const pidFile = join(folder, `${name}.pid`);
  const stubborn = `trap "" TERM; echo $$ > ${pidFile}; while :; do sleep 1; done`;
  expect(await runCommand(folder, ['submit', '--name', name, '--command', stubborn], settings)).toMatchObject({ code: 0 });
  // The lease outlasts the test: the agent of another test gets no step of this one.
  const flags = ['--name', name, '--work-dir', join(folder, name), '--lease-seconds', '3600', '--grace-seconds', '600'];
  const agent = startCommand(folder, ['agent', ...flags], settings);
  onTestFinished(() => void agent.kill('SIGKILL'));
  const pid = await eventually(async () => Number((await readFile(pidFile, 'utf8')).trim()) || Promise.reject(new Error('Not yet.')));
  onTestFinished(() => void process.kill(-pid, 'SIGKILL'));
  return agent;
}

test('the second Ctrl-C ends an agent whose step does not stop', async () => {
  const agent = await startStubbornAgent('patient');
  agent.kill('SIGINT');
  await eventually(() => expect(agent.stderr()).toContain('Stopping'));
  let code: number | null | undefined;
  void agent.ended.then((ended) => {
    code = ended;
  });
  // Again and again: the next one might be taken for an echo of the first, as npm sends it.
  await eventually(() => {
    agent.kill('SIGINT');
    // Killed by the signal, so there is no exit code.
    expect(code).toBe(null);
  });
});

test('a second signal that comes before the first is handled ends the agent as well', async () => {
  const agent = await startStubbornAgent('hasty');
  // A stopped process handles nothing. Two different signals, because two of one kind would be one.
  agent.kill('SIGSTOP');
  agent.kill('SIGINT');
  agent.kill('SIGTERM');
  agent.kill('SIGCONT');
  expect(await agent.ended).toBe(null);
});
