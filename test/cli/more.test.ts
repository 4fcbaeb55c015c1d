/** The commands beyond submitting and following a job, against a real gateway. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unwrap } from '../../src/client/errors.ts';
import { ClaimNextStepsDocument, CompleteStepDocument, ReportProgressDocument } from '../../src/client/generated.ts';
import { createRequester, type Requester } from '../../src/client/request.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { runCommand, runHere, startCommand, writeJob } from './processes.ts';

const folder = createFolder('more');
let database: TestDatabase;
let gateway: Gateway;
let client: Requester;
let settings: Record<string, string>;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  client = createRequester({ url: gateway.url, token: gateway.adminKey });
  settings = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey };
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
  removeFolder(folder);
});

const trainyard = (...args: string[]) => runHere(args, settings);

/** A finished job with these metrics and samples. */
async function runJob(metrics: object[], telemetry: object[]): Promise<string> {
  const id = (await trainyard('submit', '--name', 'ran', '--set', 'lr=1', '--', 'true')).stdout.trim();
  const [claim] = unwrap((await client.request(ClaimNextStepsDocument, { input: { waitSeconds: 20 } })).claimNextSteps).claims;
  const leaseToken = claim?.lease.token ?? '';
  const input = { leaseToken, metrics: metrics as never[], telemetry: telemetry as never[] }; // the test gives valid ones
  unwrap((await client.request(ReportProgressDocument, { input })).reportProgress);
  unwrap((await client.request(CompleteStepDocument, { input: { leaseToken } })).completeStep);
  return id;
}

test('trainyard metrics shows each curve as a chart, prints its points as JSON, and suggests a name', async () => {
  const curve = Array.from({ length: 30 }, (_, i) => ({ name: 'loss', value: 1 / (i + 1), iteration: i + 1 }));
  const id = await runJob([...curve, { name: 'accuracy', value: 0.9 }], []);
  const shown = await trainyard('metrics', id);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout).toMatch(/^accuracy 0\.9 {2}1 point\n\nloss 0\.033333 at iteration 30 {2}lowest 0\.033333, highest 1 {2}30 points\n/);
  expect(shown.stdout).toMatch(/^ {3}1\.000 ┤ ?●/m);
  expect(shown.stdout.split('●')).toHaveLength(31);
  expect(JSON.parse((await trainyard('metrics', id, 'loss', '--json')).stdout)).toMatchObject([{ name: 'loss', totalPoints: 30 }]);
  expect(await trainyard('metrics', id, 'los')).toMatchObject({
    code: 2,
    stderr: 'trainyard: The job has no metric "los". Did you mean "loss"?\n',
  });
});

test('trainyard telemetry shows the usage of steps over time', async () => {
  const sample = (second: number, cpu: number) => ({ at: `2026-01-01T00:00:0${second}.000Z`, cpu, memoryMb: 100 * cpu });
  const id = await runJob([], [sample(0, 1), sample(2, 2), sample(4, 4)]);
  const { stdout, code } = await trainyard('telemetry', id);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^processor: 4 cores, at most 4\n[\s\S]*\nmemory: 400 MB, at most 400\n[\s\S]*Over 4\.0s;/),
  ]);
  expect(JSON.parse((await trainyard('telemetry', id, '--json')).stdout)).toHaveLength(3);
  expect(await trainyard('metrics', id)).toEqual({ code: 0, stdout: '', stderr: 'No metrics.\n' });
});

test('trainyard retry creates a new job from an ended one, once for each key', async () => {
  const id = await runJob([], []);
  const again = await trainyard('retry', id, '--idempotency-key', 'k');
  expect(again).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^job_\w+\n$/) });
  expect((await trainyard('retry', id, '--idempotency-key', 'k')).stdout).toBe(again.stdout);
  expect(JSON.parse((await trainyard('job', again.stdout.trim(), '--json')).stdout)).toMatchObject({ name: 'ran', settings: { lr: 1 } });
  expect(await trainyard('retry', again.stdout.trim())).toMatchObject({ code: 2, stderr: expect.stringContaining('INVALID_STATE') });
  await trainyard('cancel', again.stdout.trim());
});

test('applications create makes an application from a file, and refuses a wrong file by line', async () => {
  const file = await writeJob(
    folder,
    'name: classifier\nitemDefinitions: [{name: size, valueType: TEXT, defaultValue: 007}]\nsettingsSchema: {properties: {lr: {type: number}, note: {type: string}}}\ncontainer: {command: x}\n',
  );
  const made = await trainyard('applications', 'create', file);
  expect(made).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^app_\w+\n$/) });
  expect((await trainyard('applications')).stdout).toContain('size=007');
  // Its settings are flags now, with the declared types.
  const job = (await trainyard('submit', '--application', 'classifier', '--lr', '.5', '--note', '5', '--json')).stdout;
  const { id } = JSON.parse(job).job;
  expect(JSON.parse((await trainyard('job', id, '--json')).stdout)).toMatchObject({ settings: { lr: 0.5, note: '5' } });
  expect(await trainyard('submit', '--application', 'classifier', '--lr', 'high')).toMatchObject({
    code: 2,
    stderr: 'trainyard: INVALID_INPUT: --lr: must be number.\n',
  });
  await trainyard('cancel', id);
  const wrong = await writeJob(folder, 'name: other\nitemDefinitons: []\n');
  expect((await trainyard('applications', 'create', wrong)).stderr).toContain(
    `${wrong}:2:1: there is no field "itemDefinitons". Did you mean "itemDefinitions"?`,
  );
  const schema = await writeJob(folder, 'name: other\nsettingsSchema: {type: nothing}\n');
  expect((await trainyard('applications', 'create', schema)).stderr).toContain(`${schema}:2:17: settingsSchema.type: must be one of`);
});

test.each([
  ['sumbit', 'There is no command "sumbit". Did you mean trainyard submit?'],
  ['log', 'Did you mean trainyard logs?'],
  ['project', 'Did you mean trainyard projects?'],
  ['srve', 'Did you mean trainyard serve?'],
  ['keys creat', 'trainyard keys needs one of these commands. Did you mean trainyard keys create?'],
  ['frobnicate', 'There is no command "frobnicate". See trainyard --help.'],
])('the mistyped command %s is refused with what was meant', async (words, message) => {
  expect(await trainyard(...words.split(' '))).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});

test('trainyard help COMMAND prints the help of that command', async () => {
  const all = [['submit'], ['serve'], ['projects', 'create'], ['backup']];
  const helped = await Promise.all(all.map((words) => runCommand(folder, ['help', ...words], {})));
  for (const [i, words] of all.entries())
    expect(helped[i]).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^[^\\n]+\\n[\\s\\S]*trainyard ${words.join(' ')} `)),
    });
}, 240_000);

test('a device whose agent has stopped is OFFLINE at once', async () => {
  const agent = startCommand(folder, ['agent', '--name', 'leaves', '--work-dir', `${folder}/agent`], settings);
  const states = async () => (await trainyard('devices')).stdout;
  await expect.poll(states, { timeout: 120_000 }).toMatch(/ONLINE +leaves/);
  agent.kill('SIGTERM');
  expect(await agent.ended).toBe(0);
  expect(await states()).toMatch(/OFFLINE +leaves/);
}, 240_000);
