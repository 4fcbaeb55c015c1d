/**
 * How steps get GPUs, none of which another step has (P16). A stand-in for nvidia-smi lists them.
 */
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { readGpus, readInstances, selectVisible, surveyGpus } from '../../../src/agent/machine/nvidia.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { logOf, openStation, type Station, signalFile } from '../station.ts';

/** Puts an nvidia-smi on the PATH that runs this script. */
function placeNvidiaSmi(script: string): void {
  const folder = createFolder('nvidia');
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH ?? ''}`);
}
const rowsOf = (count: number) => Array.from({ length: count }, (_, i) => `GPU-${i}${i}${i}, NVIDIA A100, 0, 40960, 10`).join('\n');
const listing = (count: number) => `case "$1" in --query-gpu*) cat <<END\n${rowsOf(count)}\nEND\n;; esac`;

afterEach(() => vi.unstubAllEnvs());

describe('a step', () => {
  let station: Station;
  beforeAll(async () => {
    station = await openStation();
  });
  afterAll(() => station.close());

  const wants = (gpu: number, command: string) => ({ command, resources: { gpu } });
  const tells = 'echo "[$CUDA_VISIBLE_DEVICES] [$NVIDIA_VISIBLE_DEVICES]"';

  test('has its own GPUs, by UUID, and none if it asked for none', async () => {
    placeNvidiaSmi(listing(16));
    const agent = station.startAgent({ slots: 5 });
    const go = signalFile('go');
    const held = `${tells}; while [ ! -e ${go} ]; do sleep 0.05; done`;
    const ids = await Promise.all([1, 1, 2, 12, 0].map((count) => station.createJob([wants(count, held)])));
    const jobs = await Promise.all(ids.map((id) => station.waitForJob(id, (job) => expect(logOf(job.steps[0])).toMatch(/\n/))));
    const seen = jobs.map((job) => /^\[(.*)\] \[(.*)\]\n$/.exec(logOf(job.steps[0]))?.slice(1) ?? []);
    const sets = seen.map(([cuda = '']) => (cuda === '' ? [] : cuda.split(',')));
    expect(sets.map((set) => set.length)).toEqual([1, 1, 2, 12, 0]);
    expect(new Set(sets.flat()).size).toBe(16);
    expect(seen.map(([, nvidia]) => nvidia)).toEqual(sets.map((set) => (set.length === 0 ? 'void' : set.join(','))));
    writeFileSync(go, '');
    await Promise.all(ids.map((id) => station.waitForJob(id, ({ status }) => expect(status).toBe('SUCCEEDED'))));
    // All are free again.
    const all = await station.createJob([wants(16, tells)]);
    const job = await station.waitForJob(all, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(logOf(job.steps[0]).split(',').length).toBe(31);
    await agent.stop();
  });

  test('cannot choose other GPUs through its own variables', async () => {
    placeNvidiaSmi(listing(2));
    const agent = station.startAgent();
    const env = [
      { name: 'CUDA_VISIBLE_DEVICES', value: '0,1' },
      { name: 'NVIDIA_VISIBLE_DEVICES', value: 'all' },
    ];
    const jobId = await station.createJob([{ command: tells, env }]);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(logOf(job.steps[0])).toBe('[] [void]\n');
    await agent.stop();
  });

  test('of a killed agent is ended before another step gets its GPUs', async () => {
    placeNvidiaSmi(listing(1));
    const workDir = createFolder('gpus');
    const first = station.startAgentProcess({ name: 'one-gpu', leaseSeconds: 2, workDir });
    const file = signalFile('users');
    const use = `echo "$CUDA_VISIBLE_DEVICES begins" >> ${file}; while :; do echo $$ > ${file}.last; sleep 0.05; done`;
    const lost = await station.createJob([wants(1, use)]);
    await station.waitForJob(lost, ({ status }) => expect(status).toBe('RUNNING'));
    await first.kill('SIGKILL');
    const next = await station.createJob([wants(1, `cat ${file}.last; sleep 0.3; cat ${file}.last; ${tells}`)]);
    await station.cancelJob(lost);
    const second = station.startAgentProcess({ name: 'one-gpu', leaseSeconds: 2, workDir });
    const job = await station.waitForJob(next, ({ status }) => expect(status).toBe('SUCCEEDED'), 60);
    const [before, after, set] = logOf(job.steps[0]).split('\n');
    expect([after, set]).toEqual([before, '[GPU-000] [GPU-000]']);
    await second.kill('SIGTERM');
  });

  test('is given to a device by the GPUs that it has now', async () => {
    const list = signalFile('gpus');
    writeFileSync(list, rowsOf(1));
    placeNvidiaSmi(`case "$1" in --query-gpu*) cat ${list};; esac`);
    const agent = station.startAgent({ lookSeconds: 0.1 });
    const jobId = await station.createJob([wants(2, tells)]);
    await eventually(() => expect(agent.events.map(({ kind }) => kind)).toContain('REGISTERED'));
    writeFileSync(list, rowsOf(2));
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(logOf(job.steps[0])).toContain('[GPU-000,GPU-111]');
    writeFileSync(list, `${rowsOf(1)}\n[Unknown Error], NVIDIA A100, [Unknown Error], [Unknown Error], [Unknown Error]`);
    await eventually(() =>
      expect(agent.events.map(({ message }) => message).join('\n')).toMatch(/A GPU does not work.*\n?.*Offers 1 GPUs/s),
    );
    await agent.stop();
  });
});

describe('nvidia-smi', () => {
  test('is reported if it hangs, and awaited for seconds only', async () => {
    placeNvidiaSmi('trap "" TERM; exec sleep 1000');
    expect(await surveyGpus(undefined)).toEqual({ units: [], problems: ['nvidia-smi did not answer within 5 s.'] });
  });

  test('is reported with its message if it fails, and the GPUs that it still lists are offered', async () => {
    placeNvidiaSmi(`echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9`);
    expect(await surveyGpus(undefined)).toEqual({
      units: [],
      problems: ['nvidia-smi failed: NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'],
    });
    placeNvidiaSmi(`${listing(1)}\necho 'Unable to determine the device handle for GPU1: GPU is lost.' >&2; exit 15`);
    const { units, problems } = await surveyGpus(undefined);
    expect(units?.map(({ id }) => id)).toEqual(['GPU-000']);
    expect(problems).toEqual(['nvidia-smi failed: Unable to determine the device handle for GPU1: GPU is lost.']);
  });

  test('leaves the GPUs unknown if it does not exist', async () => {
    vi.stubEnv('PATH', createFolder('empty'));
    expect(await surveyGpus(undefined)).toEqual({ units: null, problems: [] });
  });
});

describe('CUDA_VISIBLE_DEVICES', () => {
  const gpus = ['GPU-aaa', 'GPU-abb', 'GPU-ccc'].map((id) => ({ id, model: 'A100' }));
  const instances = readInstances(
    'GPU 0: A100 (UUID: GPU-aaa)\nGPU 2: A100 (UUID: GPU-ccc)\n  MIG 3g.20gb     Device  0: (UUID: MIG-1)\n  MIG 3g.20gb     Device  1: (UUID: MIG-2)\n',
  );
  const all = ['GPU-aaa', 'GPU-abb', 'MIG-1', 'MIG-2'];

  test.each([
    [undefined, all, null],
    ['', [], null],
    ['-1', [], null],
    ['NoDevFiles', [], '"NoDevFiles"'],
    ['1', ['GPU-abb'], null],
    ['1, 0', ['GPU-abb', 'GPU-aaa'], null],
    ['0,0', ['GPU-aaa'], null],
    ['0,7,1', ['GPU-aaa'], '"7"'],
    ['0,-1,1', ['GPU-aaa'], null],
    ['GPU-ab', ['GPU-abb'], null],
    ['GPU-x,0', [], '"GPU-x"'],
    ['2', ['MIG-1', 'MIG-2'], null],
    ['MIG-2,1', ['MIG-2', 'GPU-abb'], null],
    ['MIG-9', [], '"MIG-9"'],
  ])('of %j leaves to the agent %j', (visible, ids, unknown) => {
    const chosen = selectVisible(gpus, instances, visible);
    expect({ ids: chosen.units.map(({ id }) => id), unknown: chosen.unknown }).toEqual({ ids, unknown });
  });

  test('names an instance with the model of its GPU', () => {
    expect(selectVisible(gpus, instances, 'MIG-1').units).toEqual([{ id: 'MIG-1', model: 'A100 MIG 3g.20gb' }]);
  });
});

test('a GPU whose line reports an error is broken', () => {
  const lines = [
    'GPU-a, T4, 0, 100, 1',
    '[Unknown Error], T4, 0, 100, 1',
    'GPU-b, T4, [GPU requires reset], [N/A], [N/A]',
    'GPU-c, T4, [N/A], [N/A], [N/A]',
  ];
  const { whole, broken } = readGpus(lines.join('\n'));
  expect([whole.map(({ id }) => id), broken]).toEqual([
    ['GPU-a', 'GPU-c'],
    [lines[1], lines[2]],
  ]);
});
