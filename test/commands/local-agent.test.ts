/**
 * The agent beside a gateway fails, and the gateway goes on: what keeps the agent from running is
 * reported and retried.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { keepDoing } from '../../src/commands/background.ts';
import { flagsOf } from '../../src/commands/local-agent.ts';
import { eventually } from '../agent/eventually.ts';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function open(prepare: (folder: string) => void, flags: readonly string[] = []) {
  const database = await createSqliteDatabase();
  ending.push(() => database.remove());
  prepare(database.folder);
  const gateway = await startGateway({ database, command: 'up', flags });
  ending.push(() => gateway.kill('SIGTERM'));
  const isAlive = async () => (await fetch(`${gateway.url}/health/live`)).status === 200;
  return { gateway, agent: join(database.folder, 'agent'), isAlive };
}

const patience = { timeout: 100_000 };
const pidIn = (agent: string): number => JSON.parse(readFileSync(join(agent, 'agent.json'), 'utf8')).pid;

test('a gateway runs even if a file is in the place of its agent’s folder, and starts the agent once the file is gone', async () => {
  const { gateway, agent, isAlive } = await open((folder) => writeFileSync(join(folder, 'agent'), ''));
  await eventually(() => expect(gateway.output()).toContain('The agent does not run; retrying'), patience);
  expect(await isAlive()).toBe(true);
  rmSync(agent);
  await eventually(() => expect(gateway.output()).toContain('Registered at'), patience);
  expect(await isAlive()).toBe(true);
});

test('a gateway runs even if a folder is in the place of its agent’s key, and if the agent is killed', async () => {
  const { gateway, agent, isAlive } = await open((folder) => mkdirSync(join(folder, 'agent', 'device.json', 'x'), { recursive: true }));
  await eventually(() => expect(gateway.output()).toContain('The agent does not run; retrying'), patience);
  rmSync(join(agent, 'device.json'), { recursive: true });
  await eventually(() => expect(gateway.output()).toContain('Registered at'), patience);
  const first = pidIn(agent);
  // What existed before the agent was killed, and what keeps the next one from starting.
  rmSync(join(agent, 'device.json'));
  mkdirSync(join(agent, 'device.json', 'x'), { recursive: true });
  process.kill(first, 'SIGKILL');
  await eventually(() => expect(gateway.output().match(/The agent does not run/g)?.length).toBeGreaterThan(1), patience);
  expect(await isAlive()).toBe(true);
  rmSync(join(agent, 'device.json'), { recursive: true });
  await eventually(() => expect(pidIn(agent)).not.toBe(first), patience);
});

test('an agent whose key is revoked while it runs a step ends, and is started again with a new key', async () => {
  const { gateway } = await open(() => {}, ['--slots', '2']);
  const read = async <T>(query: string, variables = {}) => {
    const { data, errors } = await ask(gateway, gateway.adminKey, query, variables);
    expect(errors).toBeUndefined();
    return data as T; // by the query
  };
  const { projects } = await read<{ projects: { nodes: { id: string }[] } }>('{ projects { nodes { id } } }');
  const submit = async (command: string) => {
    const create = 'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }';
    const input = { projectId: projects.nodes[0]?.id, name: 'a job', container: { command } };
    return (await read<{ createJob: { job: { id: string } } }>(create, { input })).createJob.job.id;
  };
  const waitFor = (id: string, wanted: object) =>
    eventually(async () => {
      const { job } = await read<{ job: object }>('query ($id: ID!) { job(id: $id) { status step(number: 0) { logTail(lines: 1) } } }', {
        id,
      });
      expect(job).toMatchObject(wanted);
    }, patience);
  // The step writes output, which the agent reports: so it learns at once that its key is refused.
  await waitFor(await submit('while :; do echo runs; sleep 0.2; done'), { step: { logTail: expect.stringContaining('runs') } });
  const { apiKeys } = await read<{ apiKeys: { nodes: { id: string; kind: string }[] } }>('{ apiKeys { nodes { id kind } } }');
  const revoke = 'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { __typename } }';
  for (const { id, kind } of apiKeys.nodes) if (kind === 'DEVICE') await read(revoke, { input: { apiKeyId: id } });
  await eventually(() => expect(gateway.output().split('Registered at')).toHaveLength(3), patience);
  await waitFor(await submit('true'), { status: 'SUCCEEDED' });
});

test('isolation is passed on to the agent as requested (P16)', () => {
  const of = (isolation: Parameters<typeof flagsOf>[0]['isolation']) =>
    flagsOf({ url: 'http://127.0.0.1:1', slots: 2, isolation }, '/agent');
  expect(of(null)).toEqual(expect.arrayContaining(['--slots', '2', '--work-dir', '/agent']));
  expect(of(null).join()).not.toContain('isolate');
  expect(of({ user: undefined }).slice(of(null).length)).toEqual(['--isolate']);
  expect(of({ user: 'nobody' }).slice(of(null).length)).toEqual(['--isolate', '--isolate-user=nobody']);
});

test('up --isolate does not start, and says why, if its agent could not isolate steps (P16)', async () => {
  const database = await createSqliteDatabase();
  ending.push(() => database.remove());
  // No user has this name: that refuses root, and everyone else for not being root.
  const flags = ['--isolate', '--isolate-user', 'nobody-of-this-name'];
  const refusal = await startGateway({ database, command: 'up', flags }).then(
    (gateway) => gateway.kill('SIGTERM').then(() => ''),
    (error: Error) => error.message,
  );
  expect(refusal).toMatch(/^The gateway ended with 1:\n(.*\n)*(Steps cannot be isolated here|Isolation needs Linux)/);
  expect(refusal).not.toContain('Registered');
});

test('a background task is retried after a failure, later each time, and never throws', async () => {
  const stop = new AbortController();
  const errors: unknown[] = [];
  let done = 0;
  const backoff = { baseMs: 1, capMs: 2, random: () => 0 };
  await keepDoing(
    async () => {
      done += 1;
      if (done === 4) stop.abort();
      if (done !== 2) throw new Error(`number ${done}`);
    },
    { stop: stop.signal, onError: (error) => errors.push(String(error)), backoff },
  );
  expect(done).toBe(4);
  // A failure during the stop is not reported.
  expect(errors).toEqual(['Error: number 1', 'Error: number 3']);
});
