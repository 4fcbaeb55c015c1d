import { describe, expect, test } from 'vitest';
import { parseGpuProcesses, parseGpus, sampleGpus } from '../../../src/agent/machine/gpus.ts';
import { findResources } from '../../../src/agent/machine/resources.ts';
import { ProcessMeter, parseContainerStats } from '../../../src/agent/machine/telemetry.ts';
import { GroupProcess } from '../../../src/agent/process/process.ts';
import { listProcesses, parsePs, parseStat, selectFamily } from '../../../src/agent/process/processes.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';

async function start(script: string) {
  let output = '';
  const child = await GroupProcess.start({
    file: process.execPath,
    args: ['-e', script],
    cwd: createFolder('telemetry'),
    env: {},
    onOutput: (_stream, bytes) => {
      output += bytes.toString();
    },
  });
  return { child, output: () => output };
}

const burn = 'const end = Date.now() + 60000; while (Date.now() < end);';

describe('a sample', () => {
  test('has the load of the whole tree, where 1 is one loaded core', async () => {
    // The first process only waits. A grandchild does the work.
    const inner = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(burn)}]); setTimeout(() => {}, 60000);`;
    const { child } = await start(
      `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(inner)}]); setTimeout(() => {}, 60000);`,
    );
    try {
      const meter = new ProcessMeter(() => child.list(), false);
      // Other tests use the cores too: expect at most one core, and clearly more than idle
      // processes use.
      await eventually(
        async () => {
          const cpu = (await meter.sample())?.cpu;
          expect(cpu).toBeGreaterThan(0.2);
          expect(cpu).toBeLessThan(1.3);
        },
        { interval: 500, timeout: 20_000 },
      );
    } finally {
      child.kill();
      await child.exited;
    }
  });

  test('has the memory of the whole tree', async () => {
    const { child, output } = await start(
      'global.held = Buffer.alloc(300 * 1024 * 1024, 1); console.log("held"); setTimeout(() => {}, 60000);',
    );
    try {
      await eventually(() => expect(output()).toBe('held\n'), { timeout: 20_000 });
      const sample = await new ProcessMeter(() => child.list(), false).sample();
      expect(sample?.memoryMb).toBeGreaterThan(300);
      expect(sample?.memoryMb).toBeLessThan(450);
    } finally {
      child.kill();
      await child.exited;
    }
  });

  test('is null when the process has ended', async () => {
    const { child } = await start('');
    await child.exited;
    await eventually(async () => expect(await new ProcessMeter(() => child.list(), false).sample()).toBeNull());
  });
});

describe('the list of processes', () => {
  test('has this process, with its parent', async () => {
    const own = (await listProcesses()).find((row) => row.pid === process.pid);
    expect(own).toMatchObject({ pid: process.pid, parent: process.ppid });
    expect(own?.cpuSeconds).toBeGreaterThan(0);
  });

  test('is read from a stat line whose program has spaces and parentheses in its name', () => {
    const stat = `42 (a) b (c) S 7 40 40 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 1 0 987654 1000 10 18446744073709551615`;
    expect(parseStat(stat)).toEqual({ pid: 42, parent: 7, group: 40, session: 40, cpuSeconds: 3, startedAt: '987654', isZombie: false });
    expect(parseStat('')).toBeNull();
  });

  test('is read from ps, whatever form its times have', () => {
    const rows = parsePs(
      '  1  0  1 S 00:00:03 Thu Jan  1 00:00:00 2026\n 20  1 20 Ss  1:02.50 Thu Jan  1 00:00:01 2026\n 21 20 20 Z 1-01:00:00 x\n',
    );
    expect(rows.map((row) => [row.pid, row.parent, row.group, row.cpuSeconds])).toEqual([
      [1, 0, 1, 3],
      [20, 1, 20, 62.5],
      [21, 20, 20, 90_000],
    ]);
  });

  test('yields a process’s family: its descendants, and processes in their groups or sessions', () => {
    const row = (pid: number, parent: number, group: number, session: number) => ({
      pid,
      parent,
      group,
      session,
      cpuSeconds: 0,
      startedAt: '',
      isZombie: false,
    });
    const rows = [
      row(1, 0, 1, 1),
      row(10, 1, 10, 10),
      row(11, 10, 10, 10),
      row(12, 11, 12, 12),
      row(13, 1, 10, 10),
      row(14, 13, 14, 10),
      row(15, 1, 15, 12),
      row(20, 1, 20, 20),
    ];
    const family = selectFamily(rows, ({ pid }) => pid === 10).map(({ pid }) => pid);
    expect(family.sort()).toEqual([10, 11, 12, 13, 14, 15]);
  });

  test('yields a process’s family also where the system knows no sessions', () => {
    const row = (pid: number, parent: number, group: number) => ({
      pid,
      parent,
      group,
      session: 0,
      cpuSeconds: 0,
      startedAt: '',
      isZombie: false,
    });
    const rows = [row(10, 1, 10), row(11, 10, 10), row(13, 1, 10), row(20, 1, 20)];
    expect(selectFamily(rows, ({ pid }) => pid === 10).map(({ pid }) => pid)).toEqual([10, 11, 13]);
  });
});

describe('what nvidia-smi prints', () => {
  const gpus = parseGpus(
    'GPU-a, NVIDIA A100-SXM4-40GB, 90, 40960, 20480\nGPU-b, NVIDIA A100-SXM4-40GB, 50, 40960, 1024\nGPU-c, NVIDIA A100-SXM4-40GB, [N/A], 40960, 0\n',
  );
  const processes = parseGpuProcesses('100, GPU-a, 10240\n101, GPU-b, 10240\n999, GPU-c, 20480\n');

  test('yields the usage of the GPUs on which a step computes', () => {
    expect(sampleGpus(gpus, processes, new Set([100]))).toEqual({ gpuDutyCycle: 90, gpuMemory: 0.25 });
    expect(sampleGpus(gpus, processes, new Set([100, 101]))).toEqual({ gpuDutyCycle: 70, gpuMemory: 0.25 });
  });

  test('yields null for a step that uses none', () => {
    expect(sampleGpus(gpus, processes, new Set([5]))).toBeNull();
    expect(sampleGpus(parseGpus(''), parseGpuProcesses(''), new Set([100]))).toBeNull();
  });
});

test('what docker stats prints is read in cores and MiB', () => {
  expect(parseContainerStats('150.25%|512MiB / 7.6GiB\n')).toEqual({ cpu: 1.503, memoryMb: 512 });
  expect(parseContainerStats('0.00%|1.5GiB / 7.6GiB')).toEqual({ cpu: 0, memoryMb: 1536 });
  expect(parseContainerStats('')).toBeNull();
});

test('this machine has cores and memory to offer', () => {
  const resources = findResources([]);
  expect(resources.cpu).toBeGreaterThan(0);
  expect(resources.memoryMb).toBeGreaterThan(100);
});
