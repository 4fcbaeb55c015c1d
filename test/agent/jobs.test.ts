import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stepsFolder } from '../../src/agent/files/folder.ts';
import { findProcess } from '../../src/agent/process/processes.ts';
import { createFolder } from '../support/folders.ts';
import { eventually } from './eventually.ts';
import { logOf, openStation, type Station, signalFile } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

const expectStatus = (status: string) => (job: { status: string }) => expect(job.status).toBe(status);

describe('a job of three steps', () => {
  test('runs to its end, with its log, metrics, telemetry and fragments stored', async () => {
    const workDir = createFolder('agent');
    const agent = station.startAgent({ workDir });
    const jobId = await station.createJob([
      `echo "préparé 🚂"; echo problem >&2; head -c 300000 /dev/zero > "$TRAINYARD_FRAGMENTS/train.bin"; cat "$TRAINYARD_SETTINGS"`,
      `for i in 1 2 3; do echo "epoch $i"; echo "{\\"iteration\\": $i, \\"loss\\": 0.$i}" >> "$TRAINYARD_METRICS"; sleep 0.8; done; echo weights > fragments/model.safetensors; echo done > fragments/build.log`,
      `env | grep ^TRAINYARD_ | grep -v TOKEN | sort; pwd`,
    ]);
    const job = await station.waitForJob(jobId, expectStatus('SUCCEEDED'));

    const [prepare, train, evaluate] = job.steps;
    expect(logOf(prepare)).toContain('préparé 🚂\n');
    expect(logOf(prepare)).toContain('"lr": 0.1');
    expect(prepare?.log.chunks.find(({ stream }) => stream === 'STDERR')?.text).toBe('problem\n');
    expect(logOf(train)).toBe('epoch 1\nepoch 2\nepoch 3\n');
    expect(logOf(evaluate)).toContain(`TRAINYARD_JOB_ID=${jobId}\n`);
    expect(logOf(evaluate)).toContain(`TRAINYARD_PROJECT_ID=${station.projectId}\n`);
    expect(logOf(evaluate)).toContain('TRAINYARD_STEP_NUMBER=2\n');
    expect(logOf(evaluate)).toContain('TRAINYARD_ATTEMPT=1\n');
    expect(logOf(evaluate)).toContain(`TRAINYARD_URL=${station.gateway.url}\n`);

    expect(job.metricSeries.points.map(({ iteration, value, stepNumber }) => [stepNumber, iteration, value])).toEqual([
      [1, 1, 0.1],
      [1, 2, 0.2],
      [1, 3, 0.3],
    ]);
    expect(job.telemetry.filter(({ stepNumber }) => stepNumber === 1)[0]?.memoryMb).toBeGreaterThan(0);
    expect(job.computeTime.cpuEndedAt).not.toBeNull();

    const fragments = job.fragments.edges.map(({ node }) => [node.filename, node.type, node.status, node.sizeBytes]);
    expect(fragments.sort()).toEqual([
      ['build.log', 'BUILD_LOGS', 'READY', 5],
      ['model.safetensors', 'MODEL', 'READY', 8],
      ['train.bin', 'DATA', 'READY', 300_000],
    ]);

    expect(await agent.stop()).toBe(0);
    expect(readdirSync(stepsFolder(workDir))).toEqual([]);
    const kept = join(workDir, 'device.json');
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(readFileSync(kept, 'utf8')).not.toContain(station.gateway.adminKey);
  });

  test('runs on a device that comes back with its own key', async () => {
    const workDir = createFolder('agent');
    const first = station.startAgent({ workDir, name: 'returning' });
    await eventually(() => expect(first.events.map(({ kind }) => kind)).toContain('REGISTERED'));
    await first.stop();
    const second = station.startAgent({ workDir, name: 'returning', token: 'tyk_not-a-key-any-more-0123456789abcdefghijkl' });
    const jobId = await station.createJob(['echo hello']);
    await station.waitForJob(jobId, expectStatus('SUCCEEDED'));
    const device = ({ deviceId }: { deviceId?: string }) => deviceId;
    expect(second.events.map(device).find(Boolean)).toBe(first.events.map(device).find(Boolean));
    expect(await second.stop()).toBe(0);
  });

  test('is not begun by an agent whose key is refused: the agent ends and says so', async () => {
    const agent = station.startAgent({ token: 'tyk_nobody-0123456789abcdefghijklmnopqrstuvwxyz' });
    await eventually(() => expect(agent.events.at(-1)?.message).toMatch(/refused to register this agent/));
    expect(await agent.stop()).toBe(1);
  });

  test('runs its steps side by side with another job, up to the slots', async () => {
    const agent = station.startAgent({ slots: 2 });
    const [a, b] = [signalFile('a'), signalFile('b')];
    // Each waits for the other: they can only end together.
    const waitFor = (own: string, other: string) => `touch ${own}; while [ ! -e ${other} ]; do sleep 0.05; done`;
    const jobs = [await station.createJob([waitFor(a, b)]), await station.createJob([waitFor(b, a)])];
    for (const jobId of jobs) await station.waitForJob(jobId, expectStatus('SUCCEEDED'));
    await agent.stop();
  });
});

describe('a device', () => {
  test('finishes its steps and gets no more while it drains', async () => {
    const agent = station.startAgent({ slots: 2, leaseSeconds: 3 });
    const go = signalFile('go');
    const held = await station.createJob([`echo begun; while [ ! -e ${go} ]; do sleep 0.05; done`]);
    await station.waitForJob(held, (job) => expect(logOf(job.steps[0])).toBe('begun\n'));
    const deviceId = agent.events.find(({ kind }) => kind === 'REGISTERED')?.deviceId;
    const drain = (isDraining: boolean) =>
      station.ask('mutation ($input: UpdateDeviceInput!) { updateDevice(input: $input) { __typename } }', {
        input: { deviceId, isDraining },
      });
    await drain(true);
    await eventually(() => expect(agent.events.map(({ kind }) => kind)).toContain('DRAINING'));
    const waiting = await station.createJob(['echo hello']);
    writeFileSync(go, '');
    await station.waitForJob(held, expectStatus('SUCCEEDED'));
    expect((await station.readJob(waiting)).status).toBe('QUEUED');
    await drain(false);
    await station.waitForJob(waiting, expectStatus('SUCCEEDED'));
    await agent.stop();
  });

  test('has its agent end and say so when it is deleted', async () => {
    const agent = station.startAgent();
    await eventually(() => expect(agent.events.map(({ kind }) => kind)).toContain('REGISTERED'));
    const deviceId = agent.events.find(({ kind }) => kind === 'REGISTERED')?.deviceId;
    await station.ask('mutation ($input: DeleteDeviceInput!) { deleteDevice(input: $input) { __typename } }', { input: { deviceId } });
    await eventually(() => expect(agent.events.at(-1)?.kind).toBe('STOPPED'));
    expect(await agent.stop()).toBe(1);
  });
});

describe('a step that fails', () => {
  test('has its exit code and reason in the history, and its files are stored', async () => {
    const agent = station.startAgent();
    const jobId = await station.createJob(['echo partial > fragments/partial.txt; echo broken >&2; exit 3', 'echo never']);
    const job = await station.waitForJob(jobId, expectStatus('FAILED'));
    expect(job.steps[0]?.attempts[0]).toMatchObject({ outcome: 'FAILED', reason: 'EXIT_CODE', exitCode: 3 });
    expect(logOf(job.steps[0])).toBe('broken\n');
    expect(job.steps[1]?.status).toBe('SKIPPED');
    expect(job.fragments.edges[0]?.node).toMatchObject({ filename: 'partial.txt', status: 'READY', text: 'partial\n' });
    await agent.stop();
  });

  test('says so when the device has no such command', async () => {
    const agent = station.startAgent();
    const descriptionOf = async (container: string | Record<string, unknown>) => {
      const jobId = await station.createJob([container]);
      const job = await station.waitForJob(jobId, expectStatus('FAILED'));
      return job.steps[0]?.attempts[0];
    };
    const missing = await descriptionOf('no-such-program --now');
    expect(missing).toMatchObject({ reason: 'DEVICE_REPORTED', exitCode: 127 });
    expect(missing?.description).toMatch(/no such command.*no-such-program/);
    await agent.stop();
  });

  test('names the signal that killed it', async () => {
    const agent = station.startAgent();
    const jobId = await station.createJob(['kill -SEGV $$']);
    const job = await station.waitForJob(jobId, expectStatus('FAILED'));
    expect(job.steps[0]?.attempts[0]).toMatchObject({ exitCode: 139, description: 'The command was killed by SIGSEGV.' });
    await agent.stop();
  });
});

describe('a step that is told to stop', () => {
  test('ends on a cancel with all that it started, even if that ignores SIGTERM', async () => {
    const agent = station.startAgent({ graceSeconds: 0.5, leaseSeconds: 3 });
    const pids = signalFile('pids');
    const stubborn = `sh -c 'trap "" TERM; echo $$ >> ${pids}; while :; do sleep 0.1; done'`;
    const jobId = await station.createJob([`echo $$ >> ${pids}; ${stubborn} & ${stubborn} & echo started; wait`, 'echo never']);
    await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toBe('started\n'));
    await eventually(() => expect(readFileSync(pids, 'utf8').trim().split('\n')).toHaveLength(3));
    await station.cancelJob(jobId);
    const job = await station.waitForJob(jobId, expectStatus('CANCELLED'), 10);
    expect(job.steps.map(({ status }) => status)).toEqual(['CANCELLED', 'SKIPPED']);
    expect(job.steps[0]?.attempts[0]).toMatchObject({ outcome: 'CANCELLED' });
    expect(job.steps[0]?.attempts[0]?.description).toContain('enough');
    for (const pid of readFileSync(pids, 'utf8').trim().split('\n').map(Number)) expect(await findProcess(pid)).toBeNull();
    await agent.stop();
  });

  test('is given back when its agent stops, and another agent runs it', async () => {
    const first = station.startAgent({ name: 'leaving', graceSeconds: 1 });
    const go = signalFile('go');
    const jobId = await station.createJob([`echo begun; while [ ! -e ${go} ]; do sleep 0.05; done; echo ended`]);
    await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toBe('begun\n'));
    expect(await first.stop('release')).toBe(0);
    const released = await station.readJob(jobId);
    expect(released.steps[0]).toMatchObject({ status: 'QUEUED', attempts: [{ outcome: 'RELEASED' }] });
    writeFileSync(go, '');
    const second = station.startAgent({ name: 'staying' });
    const job = await station.waitForJob(jobId, expectStatus('SUCCEEDED'));
    expect(logOf(job.steps[0], 2)).toBe('begun\nended\n');
    await second.stop();
  });

  test('may finish first when its agent is asked to finish what it holds', async () => {
    const agent = station.startAgent();
    const go = signalFile('go');
    const jobId = await station.createJob([`echo begun; while [ ! -e ${go} ]; do sleep 0.05; done; echo ended`, 'echo never claimed']);
    await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toBe('begun\n'));
    const stopped = agent.stop('finish');
    writeFileSync(go, '');
    expect(await stopped).toBe(0);
    const job = await station.readJob(jobId);
    expect(job.steps.map(({ status }) => status)).toEqual(['SUCCEEDED', 'QUEUED']);
    expect(existsSync(go)).toBe(true);
    await station.cancelJob(jobId);
  });
});
