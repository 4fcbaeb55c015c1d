/**
 * The agent beside a gateway, with steps: what isolated ones can read, and how long a stop may
 * take.
 */
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isolate } from '../../src/agent/process/isolation.ts';
import { eventually as soon } from '../agent/eventually.ts';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Programs start on shared cores. */
const eventually: typeof soon = (check) => soon(check, { timeout: 100_000 });

async function open(flags: readonly string[] = []) {
  const database = await createSqliteDatabase();
  ending.push(() => database.remove());
  const gateway = await startGateway({ database, command: 'up', flags });
  ending.push(() => gateway.kill('SIGTERM'));
  return { gateway, folder: database.folder };
}

/** The answer has the requested shape. */
const read = async <T>({ url, adminKey }: Gateway, query: string, variables = {}) =>
  (await ask({ url }, adminKey, query, variables)).data as T;

async function submit(gateway: Gateway, command: string): Promise<string> {
  const { projects } = await read<{ projects: { nodes: { id: string }[] } }>(gateway, '{ projects { nodes { id } } }');
  const create = 'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }';
  const input = { projectId: projects.nodes[0]?.id, name: 'look', container: { command } };
  return (await read<{ createJob: { job: { id: string } } }>(gateway, create, { input })).createJob.job.id;
}

const stepOf = async (gateway: Gateway, jobId: string) =>
  (
    await read<{ job: { step: { status: string; logTail: string } } }>(
      gateway,
      `{ job(id: "${jobId}") { step(number: 0) { status logTail(lines: 500) } } }`,
    )
  ).job.step;

test('a step of up --isolate reads neither its data folder nor the processes of gateway and agent (P16)', async ({ skip }) => {
  const problem = await isolate({ workDir: createFolder('isolation') }).then(
    () => null,
    (error: Error) => error.message,
  );
  if (problem !== null) return skip(problem);
  const { gateway, folder } = await open(['--isolate']);
  await eventually(() => expect(gateway.output()).toContain('Process steps are isolated: each runs as its own user'));
  const agent = Number(JSON.parse(readFileSync(join(folder, 'agent', 'agent.json'), 'utf8')).pid);
  const files = ['credentials.json', 'trainyard.sqlite', 'agent/device.json', 'agent/agent.json'];
  for (const file of files) expect(statSync(join(folder, file)).size).toBeGreaterThan(0);
  const attempts = [
    ...files.map((file) => `cat ${join(folder, file)}`),
    `ls ${folder}`,
    `ls ${join(folder, 'agent')}`,
    ...[gateway.pid, agent].flatMap((pid) => [
      `cat /proc/${pid}/environ`,
      `cat /proc/${pid}/cmdline`,
      `ls /proc/${pid}/root`,
      `kill -0 ${pid}`,
    ]),
  ];
  const command = `id -u; ${attempts.map((each) => `${each} >/dev/null 2>&1 && echo "could: ${each}"`).join('; ')}; echo done`;
  const jobId = await submit(gateway, command);
  const { logTail } = await eventually(async () => {
    const step = await stepOf(gateway, jobId);
    expect(step.status).toBe('SUCCEEDED');
    return step;
  });
  expect(logTail.trim()).toMatch(/^64\d\d\d\ndone$/);
});

test('a gateway ends within 15 s even if a step takes all of its grace and has too much to deliver, and a client reads nothing (P11, P18)', {
  // On a machine that is busy with other tests, one try of three has to be quick enough.
  retry: 2,
}, async () => {
  const { gateway } = await open();
  // The whole file is read before it is sent, which takes longer than any grace.
  const jobId = await submit(
    gateway,
    `trap "" TERM; truncate -s 200G fragments/big; echo small > fragments/a.txt; echo ready; while :; do sleep 1; done`,
  );
  await eventually(async () => expect((await stepOf(gateway, jobId)).logTail).toContain('ready'));
  // A request whose body never comes. The gateway cuts it when its own time is over.
  const client = connect(gateway.port, '127.0.0.1').on('error', () => {});
  ending.push(() => client.destroy());
  const head = ['POST /graphql HTTP/1.1', 'Host: x', `Authorization: Bearer ${gateway.adminKey}`, 'Content-Type: application/json'];
  await new Promise<void>((resolve) => client.write(`${[...head, 'Content-Length: 900'].join('\r\n')}\r\n\r\n{`, () => resolve()));
  const began = performance.now();
  expect(await gateway.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(15_000);
  await gateway.restart();
  // Released, not lost: the agent had time to report it.
  const { job } = await read<{ job: { step: { attempts: { outcome: string }[] }; fragments: { nodes: { filename: string }[] } } }>(
    gateway,
    `{ job(id: "${jobId}") { step(number: 0) { attempts { outcome } } fragments { nodes { filename } } } }`,
  );
  expect(job.step.attempts.map(({ outcome }) => outcome)).toContain('RELEASED');
  expect(job.fragments.nodes.map(({ filename }) => filename)).toContain('a.txt');
});
