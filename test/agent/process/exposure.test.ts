/**
 * What a step that runs as its agent's user finds of keys in the processes above it, and what it
 * can do with a key that it finds (P16).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ask } from '../../e2e/asking.ts';
import { bundlePath } from '../../support/bundle.ts';
import { createSqliteDatabase } from '../../support/databases.ts';
import { createFolder } from '../../support/folders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { eventually as soon } from '../eventually.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Three programs start first, on cores that others use as well. */
const eventually: typeof soon = (check) => soon(check, { timeout: 100_000 });

const onLinux = process.platform === 'linux';

/**
 * Prints what the system shows of each process above the step, up to the one that runs the tests.
 */
const look = (upTo: number) =>
  'p=$$; while [ "$p" -gt 1 ] && [ "$p" != ' +
  `${upTo} ]; do echo "process $p"; tr -s "\\0" "\\n" < /proc/$p/environ; tr -s "\\0" " " < /proc/$p/cmdline; p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done`;

async function open(command: 'up' | 'serve', env: Record<string, string> = {}) {
  const database = await createSqliteDatabase();
  ending.push(() => database.remove());
  const gateway = await startGateway({ database, command, env });
  ending.push(() => gateway.kill('SIGTERM'));
  return { database, gateway };
}

/** The answer has the requested shape. */
const read = async <T>({ url }: Gateway, key: string, query: string, variables = {}) =>
  (await ask({ url }, key, query, variables)).data as T;

/** Runs the command as a job of the gateway's first project. Resolves with what it printed. */
async function run(gateway: Gateway, command: string): Promise<string> {
  const { adminKey } = gateway;
  const { projects } = await read<{ projects: { nodes: { id: string }[] } }>(gateway, adminKey, '{ projects { nodes { id } } }');
  const create = 'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }';
  const input = { projectId: projects.nodes[0]?.id, name: 'look', container: { command } };
  const { createJob } = await read<{ createJob: { job: { id: string } } }>(gateway, adminKey, create, { input });
  return eventually(async () => {
    const query = `{ job(id: "${createJob.job.id}") { status step(number: 0) { logTail(lines: 500) } } }`;
    const { job } = await read<{ job: { status: string; step: { logTail: string } } }>(gateway, adminKey, query);
    expect(job.status).toBe('SUCCEEDED');
    return job.step.logTail;
  });
}

const keyIn = (folder: string): string => JSON.parse(readFileSync(join(folder, 'device.json'), 'utf8')).apiKey;

async function startAgent(gateway: Gateway, flags: readonly string[], env: Record<string, string>): Promise<{ workDir: string }> {
  const workDir = createFolder('agent');
  const place = ['--url', gateway.url, '--name', 'worker', '--work-dir', workDir];
  const child: ChildProcess = spawn(process.execPath, [bundlePath, 'agent', ...place, ...flags], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  ending.push(
    () =>
      new Promise<void>((resolve) => {
        if (child.exitCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  );
  await eventually(async () => expect(keyIn(workDir)).toMatch(/^tyk_/));
  return { workDir };
}

describe('The agent of `up`', () => {
  test.runIf(onLinux)('shows its steps no secret of the operator, in no process above them (P16)', async () => {
    const { gateway } = await open('up', { OTHER_SECRET: 'hunter2-hunter2' });
    const shown = await run(gateway, look(process.pid));
    // The step, its agent, and the gateway.
    expect(shown.match(/process \d+\n/g)?.length).toBeGreaterThanOrEqual(3);
    expect(shown).toContain('dist/main.js agent');
    expect(shown).toContain('dist/main.js up');
    expect(shown).not.toContain(gateway.adminKey);
    expect(shown).not.toContain('hunter2-hunter2');
    expect(shown).not.toContain('tyk_');
  });

  test('has its device’s key only, a new one at each start (P15, P16)', { timeout: 150_000 }, async () => {
    const { database, gateway } = await open('up');
    const folder = join(database.folder, 'agent');
    await run(gateway, 'true');
    const first = keyIn(folder);
    const who = (key: string) => ask(gateway, key, '{ viewer { kind device { name } } projects { totalCount } }');
    expect((await who(first)).data?.viewer).toMatchObject({ kind: 'DEVICE' });
    const make = 'mutation { createProject(input: {name: "p"}) { __typename ... on Error { code } } }';
    expect((await ask(gateway, first, make)).errors?.[0]?.extensions.code ?? 'done').toBe('FORBIDDEN');
    await gateway.kill('SIGTERM');
    await gateway.restart();
    await run(gateway, 'true');
    expect(keyIn(folder)).not.toBe(first);
  });
});

describe('An agent that is given a user’s key', () => {
  const makeKey = async (gateway: Gateway) => {
    const make = 'mutation { createApiKey(input: {name: "k", kind: USER, role: EDITOR}) { ... on CreateApiKeyPayload { secret } } }';
    return (await read<{ createApiKey: { secret: string } }>(gateway, gateway.adminKey, make)).createApiKey.secret;
  };

  test.runIf(onLinux).each(['the environment', 'a flag', 'a file'])('in %s shows it to no step (P16)', async (where) => {
    const { gateway } = await open('serve');
    const key = await makeKey(gateway);
    const file = join(createFolder('key'), 'key');
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    const flags = where === 'a flag' ? ['--token', key] : where === 'a file' ? ['--token-file', file] : [];
    const { workDir } = await startAgent(gateway, flags, where === 'the environment' ? { TRAINYARD_TOKEN: key } : {});
    const shown = await run(gateway, look(process.pid));
    expect(shown).toContain('dist/main.js agent');
    expect(shown).not.toContain(key);
    expect(keyIn(workDir)).not.toBe(key);
  });

  test('keeps its device’s key only, also if the device existed before (P16)', async () => {
    const { gateway } = await open('serve');
    const key = await makeKey(gateway);
    const register = 'mutation { registerDevice(input: {name: "worker"}) { ... on RegisterDevicePayload { apiKey } } }';
    const before = (await read<{ registerDevice: { apiKey: string } }>(gateway, gateway.adminKey, register)).registerDevice.apiKey;
    const { workDir } = await startAgent(gateway, [], { TRAINYARD_TOKEN: key });
    expect([key, before]).not.toContain(keyIn(workDir));
    const viewer = await ask(gateway, keyIn(workDir), '{ viewer { kind device { name } } }');
    expect(viewer.data?.viewer).toEqual({ kind: 'DEVICE', device: { name: 'worker' } });
  });
});
