/** Typing mistakes never run as something else, against a real gateway. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unwrap } from '../../src/client/errors.ts';
import { ClaimNextStepsDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { runHere } from './processes.ts';

const folder = createFolder('strict');
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

const trainyard = (...args: string[]) => runHere(args, { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey });
const write = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

test('submit with mistyped flags makes no job, and says which were meant', async () => {
  const submitted = await trainyard('submit', '--gpus', '1', '--folow', '--prority', '7', '--', 'true');
  expect(submitted).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('no flag --gpus') });
  expect(submitted.stderr).toContain('Did you mean --gpu?');
  expect(await trainyard('jobs')).toEqual({ code: 0, stdout: '', stderr: 'No jobs.\n' });
});

test('submit with no command after -- makes no job', async () => {
  for (const command of [[], [''], ['', 'x']])
    expect(await trainyard('submit', '--name', 'x', '--', ...command)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('No command follows --'),
    });
  expect(await trainyard('jobs')).toEqual({ code: 0, stdout: '', stderr: 'No jobs.\n' });
});

test('a refusal names the flag that was typed, or the line of the file', async () => {
  const file = await write('wrong.yaml', 'name: a\ncontainer: {command: x}\nsettings: {lr: 0.1}\nrunTimeoutSeconds: -1\n');
  for (const [args, place] of [
    [[file], `${file}:4:20: runTimeoutSeconds: `],
    [[file, '--run-timeout-seconds', '-2'], '--run-timeout-seconds: '],
    [['--name', 'a', '--cpu', '-1', '--', 'x'], '--cpu: '],
    [['--name', 'a', '--env', '1=2', '--', 'x'], '--env: '],
    [['--name', 'x'.repeat(300), '--', 'x'], '--name: '],
    [['--name', 'a', '--set', '__proto__.x=1', '--', 'x'], '--set __proto__.x'],
  ] as const) {
    const { code, stderr } = await trainyard('submit', ...args);
    expect([code, stderr.startsWith(`trainyard: INVALID_INPUT: ${place}`)], stderr).toEqual([2, true]);
  }
  expect((await trainyard('cancel', 'job_01m7y595j4e00ajsz09zaa51ms', '--timeout-seconds', '-1')).stderr).toMatch(
    /^trainyard: BAD_REQUEST: --timeout-seconds: must be /,
  );
});

test('text of a file and of a flag reaches the step as it is written', async () => {
  const file = await write(
    'text.yaml',
    'name: 007\nlabels: {n: 007}\nsettings: {version: "1.10"}\ncontainer:\n  command: x\n  env: {A: 010, C: 1.10, H: 12345678901234567890, J: 0x1F, N: .nan}\n',
  );
  const { code, stderr } = await trainyard('submit', file, '--version', '2.10', '--label', 'build=0010', '--item', 'rate=1.10');
  expect([code, stderr]).toEqual([0, '']);
  const client = createRequester({ url: gateway.url, token: gateway.adminKey });
  const { claimNextSteps } = await client.request(ClaimNextStepsDocument, { input: {} });
  const [claim] = unwrap(claimNextSteps).claims;
  const env = Object.fromEntries((claim?.step.container?.env ?? []).map(({ name, value }) => [name, value]));
  expect(env).toEqual({ A: '010', C: '1.10', H: '12345678901234567890', J: '0x1F', N: '.nan' });
  expect(claim?.step.job).toMatchObject({ name: '007', settings: { version: '2.10' }, items: [{ name: 'rate', value: '1.10' }] });
  expect((await trainyard('jobs', '--label', 'n=007', '--label', 'build=0010')).stdout).toContain(claim?.step.job.id);
});

test.each([
  [['jobs', 'extra'], '"extra" is one argument too many.\nUsage: trainyard jobs\n'],
  [['job'], 'JOB is missing.\nUsage: trainyard job JOB\n'],
  [['job', ''], 'An argument is empty.\n'],
  [['jobs', '--lable', 'a'], 'There is no flag --lable. Did you mean --label?\n'],
  [['cancel', 'job_1', '--timeout', '5'], 'There is no flag --timeout. Did you mean --timeout-seconds?\n'],
])('trainyard %j is refused by what is wrong with it', async (args, message) => {
  const { code, stdout, stderr } = await trainyard(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`trainyard: ${message}`);
});
