import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/client/errors.ts';
import {
  ClaimNextStepsDocument,
  CompleteStepDocument,
  FailStepDocument,
  JobDocument,
  ReportProgressDocument,
} from '../../src/client/generated.ts';
import { createRequester, type Requester } from '../../src/client/request.ts';
import { eventually } from '../agent/eventually.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type CommandProcess, runCommand, runHere, startCommand } from './processes.ts';

const folder = createFolder('commands');
let database: TestDatabase;
let gateway: Gateway;
let client: Requester;

beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  client = createRequester({ url: gateway.url, token: gateway.adminKey });
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
});

function settings(): Record<string, string> {
  return { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey };
}

function trainyard(...args: string[]) {
  return runHere(args, settings());
}

/** Runs in its own process, in the tests' folder, for relative paths. */
const inFolder = (...args: string[]) => runCommand(folder, args, settings());

/** The output of a command that has to succeed. */
async function ask(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await trainyard(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

function startTrainyard(...args: string[]) {
  return startCommand(folder, args, settings());
}

/** Adds an application to the catalogue. Resolves with its id. */
async function addApplication(input: object): Promise<string> {
  const query = `mutation ($input: CreateApplicationInput!) { createApplication(input: $input) { ... on CreateApplicationPayload { application { id } } } }`;
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data } = (await response.json()) as { data: { createApplication: { application: { id: string } } } }; // see the query
  return data.createApplication.application.id;
}

/** Claims the only queued step. `submit` is the command that queued it, if it still runs. */
async function claim(submit?: CommandProcess) {
  let hasEnded = submit === undefined;
  void submit?.ended.then(() => {
    hasEnded = true;
  });
  for (;;) {
    const wasLast = hasEnded;
    const { claimNextSteps } = await client.request(ClaimNextStepsDocument, { input: { waitSeconds: 20 } });
    const [claimed] = unwrap(claimNextSteps).claims;
    if (claimed !== undefined) return { token: claimed.lease.token, step: claimed.step, jobId: claimed.step.job.id };
    if (wasLast) throw new Error(`Nothing came to be claimed. ${submit?.stderr() ?? ''}`);
  }
}

async function report(leaseToken: string, offset: number, text: string, epoch?: number): Promise<number> {
  const metrics = epoch === undefined ? [] : [{ name: 'loss', value: 1 / epoch, iteration: epoch }];
  const input = { leaseToken, log: [{ offset, text }], metrics };
  return unwrap((await client.request(ReportProgressDocument, { input })).reportProgress).nextLogOffset;
}

async function complete(leaseToken: string): Promise<void> {
  unwrap((await client.request(CompleteStepDocument, { input: { leaseToken } })).completeStep);
}

describe('trainyard submit', () => {
  test('--follow shows a job to its end, also across a gateway that is killed and started again (P7)', async () => {
    await writeFile(
      join(folder, 'job.yaml'),
      'name: digits\nlabels: {team: a}\nsettings: {lr: 0.1, custom: {depth: 2}}\nsteps:\n  - name: train\n    container: {command: python train.py}\n',
    );
    const submit = startTrainyard('submit', join(folder, 'job.yaml'), '--follow', '--custom.depth', '5', '--set', 'param_3={"k":"v"}');
    const { token, jobId, step } = await claim(submit);
    expect(step.job.settings).toEqual({ lr: 0.1, custom: { depth: 5 }, param_3: { k: 'v' } });
    let offset = await report(token, 0, 'epoch 1\nhalf of ', 1);
    await eventually(() => expect(submit.stdout()).toBe('epoch 1\n'));
    await gateway.restart();
    offset = await report(token, offset, 'a line\n', 2);
    await report(token, offset, 'the end, without a line\u001b[2J feed', 3);
    await complete(token);
    expect(await submit.ended).toBe(0);
    expect(submit.stdout()).toBe('epoch 1\nhalf of a line\nthe end, without a line feed\n');
    const notes = submit.stderr();
    expect(notes).toMatch(/^== created job_\w+ \(digits\)/);
    expect(notes).toContain('-- connection lost');
    expect(notes).toContain('-- reconnected');
    for (const epoch of [1, 2, 3]) expect(notes.split(`-- iteration ${epoch}: loss`)).toHaveLength(2);
    expect(notes).toMatch(/== job RUNNING/);
    for (const status of ['RUNNING', 'SUCCEEDED']) expect(notes).toContain(`== step 0 train ${status}`);
    expect(notes).toMatch(/== digits SUCCEEDED after .*: loss 0\.33333 \(iteration 3\)\n$/);

    const again = await trainyard('watch', jobId, '--json');
    expect(again.code).toBe(0);
    const lines: { type: string; text?: string }[] = again.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(
      lines
        .filter(({ type }) => type === 'log')
        .map(({ text }) => text)
        .join(''),
    ).toBe('epoch 1\nhalf of a line\nthe end, without a line\u001b[2J feed');
    expect(lines.filter(({ type }) => type === 'metric')).toHaveLength(3);
    expect(lines.at(-1)).toEqual({ type: 'outcome', status: 'SUCCEEDED', exitCode: 0 });
  });

  test('--follow ends with 1 when the job fails', async () => {
    const submit = startTrainyard('submit', '--follow', '--', 'python', 'train.py', '--name', "it's");
    const { token, step } = await claim(submit);
    expect(step.container?.command).toBe(`python train.py --name 'it'\\''s'`);
    const input = { leaseToken: token, description: 'out of \u001b]0;owned\u0007luck', exitCode: 9 };
    unwrap((await client.request(FailStepDocument, { input })).failStep);
    expect(await submit.ended).toBe(1);
    expect(submit.stderr()).toMatch(/== python FAILED/);
    expect(submit.stderr()).toContain('out of luck');
  });

  test('--follow ends with 3 when the job is cancelled', async () => {
    const submit = startTrainyard('submit', '--follow', '--name', 'doomed', '--command', 'sleep 1', '--json');
    await eventually(() => expect(submit.stdout()).toContain('"type":"status"'));
    const { job } = JSON.parse(submit.stdout().split('\n')[0] ?? '');
    const cancelled = await trainyard('cancel', job.id, '--reason', 'a mistake');
    expect(cancelled).toEqual({ code: 0, stdout: `${job.id} (doomed) is CANCELLED\n`, stderr: '' });
    expect(await submit.ended).toBe(3);
    expect(await trainyard('cancel', job.id)).toMatchObject({ code: 2, stderr: expect.stringMatching(/^trainyard: INVALID_STATE: /) });
  });

  test('leaves the job running when it is interrupted, says how to cancel it, and ends with 130', async () => {
    const submit = startTrainyard('submit', '--follow', '--name', 'goes on', '--command', 'sleep 1');
    const { token, jobId } = await claim(submit);
    await eventually(() => expect(submit.stderr()).toContain('== job RUNNING'));
    submit.kill('SIGINT');
    expect(await submit.ended).toBe(130);
    expect(submit.stderr()).toContain(`trainyard cancel ${jobId}`);
    expect((await client.request(JobDocument, { id: jobId })).job?.status).toBe('RUNNING');
    await complete(token);
  });

  test('explains an invalid file, an unknown project or a refused input, and ends with 2', async () => {
    await writeFile(join(folder, 'bad.yaml'), 'name: x\nstep: []\n');
    expect(await trainyard('submit', join(folder, 'bad.yaml'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no field "step"'),
    });
    const unknown = await trainyard('submit', '--name', 'x', '--command', 'y', '--project', 'nope');
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringMatching(/no project named "nope".*\n {2}proj_\w+ {2}default\n/) });
    const refused = await trainyard('submit', '--name', 'x', '--command', 'y', '--run-timeout-seconds', '-1');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^trainyard: INVALID_INPUT: --run-timeout-seconds: .*\n$/) });
  });

  test('takes items, settings and container from the application, and names the settings that it does not know', async () => {
    expect(await trainyard('applications')).toEqual({ code: 0, stdout: '', stderr: 'No applications.\n' });
    const id = await addApplication({
      name: 'classifier',
      itemDefinitions: [
        { name: 'image_size', valueType: 'INT', isRequired: true },
        { name: 'arch', valueType: 'TEXT', defaultValue: 'resnet34' },
      ],
      settingsSchema: {
        properties: { param_3: { type: 'object' }, custom: { properties: { custom_param: { type: 'integer', default: 0 } } } },
      },
      container: { command: 'python classify.py' },
    });
    const listed = await trainyard('applications');
    expect(listed.stdout).toMatch(new RegExp(`^ID +NAME +ITEMS .*\\n${id} +classifier +image_size! arch=resnet34 +no`));
    expect(JSON.parse((await trainyard('applications', '--json')).stdout)).toMatchObject([{ id, itemDefinitions: [{}, {}] }]);

    const overrides = ['--param_3', '{"k":"v"}', '--custom.custom_param', '5', '--set', 'other=x'];
    const submitted = await trainyard('submit', '--application', 'classifier', '--item', 'image_size=224', ...overrides);
    expect(submitted).toMatchObject({ code: 0, stderr: 'trainyard: the application has no setting other\n' });
    const { step } = await claim();
    expect(step).toMatchObject({
      container: { command: 'python classify.py' },
      job: { name: 'classifier', settings: { param_3: { k: 'v' }, custom: { custom_param: 5 }, other: 'x' } },
    });
    const shown = await trainyard('job', submitted.stdout.trim());
    expect(shown.stdout).toContain(`classifier (${id})`);
    expect(shown.stdout).toContain('image_size=224 arch=resnet34');
    await trainyard('cancel', submitted.stdout.trim(), '--timeout-seconds', '0');

    await writeFile(
      join(folder, 'classify.yaml'),
      'application: classifier\nitems: {image_size: 28}\nsettings: {custom: {custom_param: x}}\n',
    );
    expect(await trainyard('submit', join(folder, 'classify.yaml'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^trainyard: INVALID_INPUT: .*classify\.yaml:3:11: settings\.custom\.custom_param: must be integer\.\n$/,
      ),
    });
    expect(await trainyard('submit', '--application', 'nope')).toMatchObject({
      code: 2,
      stderr: `trainyard: There is no application named "nope". There are:\n  ${id}  classifier\n`,
    });
  });

  test('returns the same job for the same idempotency key', async () => {
    const submit = () => ask('submit', '--name', 'once', '--command', 'y', '--idempotency-key', 'k1');
    const [first, second] = [await submit(), await submit()];
    expect(first).toMatch(/^job_\w+\n$/);
    expect(second).toBe(first);
    await ask('cancel', first.trim());
  });
});

describe('trainyard', () => {
  test('lists and shows jobs as tables and as JSON', async () => {
    const { job } = JSON.parse(await ask('submit', '--name', 'shown', '--command', 'x', '--label', 'find=me', '--priority', '7', '--json'));
    const table = await trainyard('jobs', '--label', 'find=me', '--status', 'queued,running');
    expect(table.stdout.split('\n')).toHaveLength(3);
    expect(table.stdout).toMatch(new RegExp(`^ID +STATUS +NAME .*\\n${job.id} +QUEUED +shown +default`));
    const listed = JSON.parse(await ask('jobs', '--json', '--name-contains', 'shown'));
    expect(listed).toMatchObject([{ id: job.id, status: 'QUEUED', priority: 7 }]);
    const shown = await trainyard('job', job.id);
    expect(shown.stdout).toMatch(/^id +job_\w+\nname +shown\nstatus +QUEUED/);
    expect(JSON.parse(await ask('job', job.id, '--json'))).toMatchObject({ id: job.id, steps: [{ status: 'QUEUED' }] });
    await trainyard('cancel', job.id);
    expect(await trainyard('job', 'job_00000000000000000000000000')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no job'),
    });
  });

  test('prints the log of a running job so far, and ends cleanly when its reader leaves', async () => {
    const id = (await ask('submit', '--name', 'talks', '--command', 'x')).trim();
    const { token } = await claim();
    let offset = 0;
    for (let part = 0; part < 10; part += 1) offset = await report(token, offset, `${'x'.repeat(99)}\n`.repeat(500));
    const { stdout, code } = await trainyard('logs', id, '--step', '0');
    expect([code, stdout.length]).toEqual([0, 500_000]);
    const follow = startTrainyard('logs', id, '--follow');
    await eventually(() => expect(follow.stdout()).not.toBe(''));
    follow.closeStdout();
    await report(token, offset, 'more\n');
    expect(await follow.ended).toBe(141);
    await complete(token);
  });

  test('uploads files and downloads them again', async () => {
    const id = (await ask('submit', '--name', 'files', '--command', 'x')).trim();
    const bytes = randomBytes(2_000_000);
    await writeFile(join(folder, 'model.bin'), bytes);
    const put = await inFolder('fragments', 'put', 'model.bin', '--job', id, '--type', 'model');
    expect(put).toEqual({ code: 0, stdout: expect.stringMatching(/^frag_\w+\n$/), stderr: '' });
    const listed = await trainyard('fragments', 'list', id);
    expect(listed.stdout).toMatch(/^ID +FILENAME .*\nfrag_\w+ +model\.bin +MODEL +READY +2\.00 MB/);
    const taken = await inFolder('fragments', 'get', put.stdout.trim());
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringContaining('Use --force to replace it') });
    expect(await inFolder('fragments', 'get', id, 'model.bin', '-o', 'copy.bin')).toEqual({ code: 0, stdout: 'copy.bin\n', stderr: '' });
    expect((await readFile(join(folder, 'copy.bin'))).equals(bytes)).toBe(true);
    await trainyard('cancel', id);
  });

  test('creates keys, and a command that follows with a key ends when it is revoked (P15)', async () => {
    const id = (await ask('submit', '--name', 'watched', '--command', 'x')).trim();
    const { apiKey, secret } = JSON.parse(await ask('keys', 'create', 'link', '--kind', 'watch', '--job', id, '--json'));
    const watch = startCommand(folder, ['watch', id], { ...settings(), TRAINYARD_TOKEN: secret });
    await eventually(() => expect(watch.stderr()).toContain('== job QUEUED'));
    expect(await runHere(['cancel', id], { ...settings(), TRAINYARD_TOKEN: secret })).toMatchObject({ code: 2 });
    expect(await ask('keys', 'list')).toMatch(new RegExp(`^ID +NAME .*\\n${apiKey.id} +link +WATCH .*valid`));
    expect((await trainyard('keys', 'revoke', apiKey.id)).code).toBe(0);
    expect(JSON.parse(await ask('keys', 'list', '--kind', 'watch', '--json'))).toMatchObject([{ id: apiKey.id, name: 'link' }]);
    expect(await watch.ended).toBe(2);
    expect(watch.stderr()).toContain('UNAUTHENTICATED');
    await trainyard('cancel', id);
  });

  test('renames a key, rotates it, and shows who did so (P15)', async () => {
    const { apiKey, secret } = JSON.parse(await ask('keys', 'create', 'ci', '--role', 'editor', '--json'));
    expect(await ask('keys', 'update', apiKey.id, '--name', 'build', '--expires-in-seconds', '7200')).toMatch(/^name +build$/m);
    const rotated = await trainyard('keys', 'rotate', apiKey.id, '--overlap-seconds', '0');
    expect(rotated.stderr).toMatch(new RegExp(`^${apiKey.id} stays valid until .*\\. The new key:\nid +key_\\w+\nname +build\n`));
    const withKey = (token: string) => runHere(['jobs'], { ...settings(), TRAINYARD_TOKEN: token });
    expect((await withKey(rotated.stdout.trim())).code).toBe(0);
    expect(await withKey(secret)).toMatchObject({ code: 2, stderr: expect.stringContaining('UNAUTHENTICATED') });
    expect(await ask('keys', 'list', '--ended')).toMatch(new RegExp(`^${apiKey.id} +build +USER .*expired$`, 'm'));
    expect(await ask('keys', 'list', '--live')).not.toContain(apiKey.id);
    const trail = await ask('audit', '--subject', apiKey.id);
    expect(trail).toMatch(/^AT +ACTOR +ACTION +SUBJECT +NAME +CHANGES\n.*KEY_ROTATED.*\n.*KEY_CHANGED .*name ci → build.*\n.*KEY_CREATED /);
    expect(JSON.parse(await ask('audit', '--action', 'key-rotated', '--limit', '1', '--json'))).toMatchObject([{ subjectId: apiKey.id }]);
    expect(await trainyard('audit', '--since', 'yesterday')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--since takes a time'),
    });
  });

  test('lists no device where there is none', async () => {
    expect(await trainyard('devices', '--kind', 'edge')).toEqual({ code: 0, stdout: '', stderr: 'No devices.\n' });
    expect(await trainyard('devices', '--kind', 'edge', '--json')).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
  });

  test('says in one line that the key is missing or the gateway is away', async () => {
    const stranger = await runHere(['jobs'], { TRAINYARD_URL: gateway.url, TRAINYARD_DATA_DIR: folder });
    expect(stranger).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^trainyard: UNAUTHENTICATED: .*TRAINYARD_TOKEN.*\n$/),
    });
    const away = await runHere(['watch', 'job_1'], { TRAINYARD_URL: 'http://127.0.0.1:9', TRAINYARD_TOKEN: 'tyk_any' });
    expect(away).toMatchObject({ code: 4, stdout: '', stderr: expect.stringMatching(/^trainyard: .*cannot be reached.*\n$/) });
  });

  test('finds a local gateway’s key in its data folder', async () => {
    const local = createFolder('local');
    await writeFile(join(local, 'credentials.json'), JSON.stringify({ url: gateway.url, token: gateway.adminKey }));
    const listed = await runHere(['projects', 'list'], { TRAINYARD_DATA_DIR: local });
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('default') });
  });

  test('uses the only project that the key can see, and asks if there are several', async () => {
    const created = await trainyard('projects', 'create', 'vision');
    expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^proj_\w+\n$/) });
    const asked = await trainyard('submit', '--name', 'x', '--command', 'y');
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringMatching(/--project NAME or ID.*\n.* vision\n.* default\n/) });
    for (const project of ['vision', created.stdout.trim()]) {
      const submitted = await ask('submit', '--name', 'x', '--command', 'y', '--project', project, '--json');
      expect(JSON.parse(submitted).job.project.name).toBe('vision');
    }
  });
});
