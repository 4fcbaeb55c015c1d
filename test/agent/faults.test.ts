import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findProcess } from '../../src/agent/process/processes.ts';
import { eventually } from './eventually.ts';
import { logOf, openStation, type Station, signalFile } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

test('a gateway that is killed during a step and restarted has every log line and metric once', async () => {
  const agent = station.startAgent();
  const ended = signalFile('ended');
  const lines = 400;
  const loop = `i=1; while [ $i -le ${lines} ]; do echo "line $i ü"; echo "{\\"iteration\\": $i, \\"loss\\": $i}" >> "$TRAINYARD_METRICS"; i=$((i+1)); sleep 0.02; done`;
  const jobId = await station.createJob([`${loop}; echo weights > fragments/model.safetensors; touch ${ended}`]);
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('line 20 '));
  await station.gateway.kill('SIGKILL');
  await eventually(() => expect(agent.events.map(({ kind }) => kind)).toContain('GATEWAY_AWAY'));
  // The step goes on meanwhile.
  const isRunning = !existsSync(ended);
  await station.gateway.restart();
  await station.waitForJob(jobId, (job) => expect(job.metricSeries.points.length).toBeGreaterThan(100));
  await station.gateway.restart();
  const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'), 45);
  expect(isRunning).toBe(true);
  expect(logOf(job.steps[0])).toBe(Array.from({ length: lines }, (_, i) => `line ${i + 1} ü\n`).join(''));
  expect(job.metricSeries.points.map(({ iteration }) => iteration)).toEqual(Array.from({ length: lines }, (_, i) => i + 1));
  expect(job.steps[0]?.attempts).toHaveLength(1);
  expect(job.fragments.edges[0]?.node).toMatchObject({ filename: 'model.safetensors', status: 'READY' });
  await agent.stop();
});

test('a step that ends while the gateway is away is reported when it is back', async () => {
  const agent = station.startAgent();
  const [go, ended] = [signalFile('go'), signalFile('ended')];
  const jobId = await station.createJob([
    `echo begun; while [ ! -e ${go} ]; do sleep 0.05; done; echo result > fragments/result.txt; echo last; touch ${ended}`,
  ]);
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toBe('begun\n'));
  await station.gateway.kill('SIGKILL');
  writeFileSync(go, '');
  await eventually(() => expect(existsSync(ended)).toBe(true));
  await station.gateway.restart();
  const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(logOf(job.steps[0])).toBe('begun\nlast\n');
  expect(job.fragments.edges[0]?.node.text).toBe('result\n');
  await agent.stop();
});

test('a killed agent loses its step to another one, and ends what it left when it is restarted', async () => {
  const pids = signalFile('pids');
  const go = signalFile('go');
  const first = station.startAgentProcess({ name: 'dying', leaseSeconds: 2 });
  const jobId = await station.createJob([
    `echo $$ >> ${pids}; echo begun; while [ ! -e ${go} ]; do sleep 0.05; done; echo result > fragments/result.txt`,
  ]);
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toBe('begun\n'));
  await first.kill('SIGKILL');
  const killedAt = performance.now();
  await station.waitForJob(jobId, (job) => expect(job.steps[0]?.attempts[0]?.outcome).toBe('LOST'));
  expect(performance.now() - killedAt).toBeLessThan(3_500);

  const second = station.startAgent({ name: 'heir' });
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0], 2)).toBe('begun\n'));
  const [orphan = 0, heir = 0] = readFileSync(pids, 'utf8').trim().split('\n').map(Number);
  expect(await findProcess(orphan)).not.toBeNull();

  const again = station.startAgentProcess({ name: 'dying', workDir: first.workDir });
  await eventually(async () => expect(await findProcess(orphan)).toBeNull());
  expect(await findProcess(heir)).not.toBeNull();
  await again.kill('SIGTERM');

  writeFileSync(go, '');
  const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(job.steps[0]?.attempts.map(({ outcome, reason, device }) => [outcome, reason, device?.name])).toEqual([
    ['LOST', 'LEASE_EXPIRED', 'dying'],
    ['SUCCEEDED', 'COMPLETED', 'heir'],
  ]);
  await second.stop();
});

test('an agent that lost its lease kills the step at once and reports nothing more', async () => {
  const pids = signalFile('pids');
  const first = station.startAgentProcess({ name: 'frozen', leaseSeconds: 2 });
  const jobId = await station.createJob([`trap "" TERM; echo $$ >> ${pids}; while :; do echo tick; sleep 0.1; done`]);
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('tick\n'));
  first.signal('SIGSTOP');
  const second = station.startAgent({ name: 'successor', graceSeconds: 0.2 });
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0], 2)).toContain('tick\n'));
  const said = logOf((await station.readJob(jobId)).steps[0], 1);
  const [stale = 0] = readFileSync(pids, 'utf8').trim().split('\n').map(Number);
  expect(await findProcess(stale)).not.toBeNull();
  first.signal('SIGCONT');
  await eventually(async () => expect(await findProcess(stale)).toBeNull());
  await eventually(() => expect(first.output()).toMatch(/nothing was reported/));
  expect(logOf((await station.readJob(jobId)).steps[0], 1)).toBe(said);
  await station.cancelJob(jobId);
  await station.waitForJob(jobId, ({ status }) => expect(status).toBe('CANCELLED'));
  await first.kill('SIGTERM');
  await second.stop();
});

test('a second agent in the same folder does not start, as it would end the first one’s steps', async () => {
  const first = station.startAgentProcess();
  await eventually(() => expect(first.output()).toMatch(/Registered/));
  const second = station.startAgent({ workDir: first.workDir });
  await eventually(() => expect(second.events.at(-1)?.message).toMatch(/Another agent/));
  expect(await second.stop()).toBe(1);
  await first.kill('SIGTERM');
});
