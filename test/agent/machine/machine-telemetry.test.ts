/** The agent reports what its machine uses, whether or not it runs a step. */
import { writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { MachineMeter, reportMachine, sampleAllGpus } from '../../../src/agent/machine/machine-telemetry.ts';
import { GatewayUnreachable, RequestRefused } from '../../../src/client/errors.ts';
import type { Requester } from '../../../src/client/request.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { openStation, type Station } from '../station.ts';

afterEach(() => vi.unstubAllEnvs());

interface Sample {
  readonly at: string;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly gpuDutyCycle: number | null;
  readonly gpuMemory: number | null;
}

describe('An agent without a step', () => {
  let station: Station;
  beforeAll(async () => {
    station = await openStation();
  });
  afterAll(() => station.close());

  const samplesOf = async (name: string): Promise<Sample[]> => {
    type Answer = { devices: { nodes: { name: string; telemetry: Sample[] }[] } };
    const { devices } = await station.ask<Answer>('{ devices { nodes { name telemetry { at cpu memoryMb gpuDutyCycle gpuMemory } } } }');
    return devices.nodes.find((device) => device.name === name)?.telemetry ?? [];
  };

  test('reports the load, memory and GPUs of its machine', async () => {
    const folder = createFolder('nvidia');
    const rows = 'GPU-0, A100, 40, 40960, 10240\nGPU-1, A100, 80, 40960, 20480';
    writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\ncase "$1" in --query-gpu*) cat <<END\n${rows}\nEND\n;; esac\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH ?? ''}`);
    const agent = station.startAgent({ name: 'with-gpus', telemetrySeconds: 0.2 });
    const samples = await eventually(async () => {
      const found = await samplesOf('with-gpus');
      expect(found.length).toBeGreaterThan(2);
      return found;
    });
    for (const { cpu, memoryMb, gpuDutyCycle, gpuMemory } of samples) {
      expect(cpu).toBeGreaterThanOrEqual(0);
      expect(cpu).toBeLessThanOrEqual(availableParallelism() * 8);
      expect(memoryMb).toBeGreaterThan(10);
      expect(memoryMb).toBeLessThan(totalmem() / 1_048_576);
      expect([gpuDutyCycle, gpuMemory]).toEqual([60, 0.375]);
    }
    // Reports end with the agent.
    expect(await agent.stop()).toBe(0);
  });
});

describe('Reports on a machine', () => {
  /** A client that answers each request with the next of these, then with success. */
  function clientOf(...errors: readonly Error[]) {
    const requests: string[][] = [];
    const left = [...errors];
    const controller = new AbortController();
    const client = {
      target: { url: 'http://127.0.0.1:1', token: '' },
      async request(_: unknown, { input }: { input: { samples: { at: string }[] } }) {
        requests.push(input.samples.map(({ at }) => at));
        const error = left.shift();
        if (error) throw error;
        controller.abort();
        return {};
      },
    } as unknown as Requester; // the one method that is called, with the variables of the one document
    const reports = { client, deviceId: 'dev_1', everySeconds: 0.005, hasGpus: () => false, signal: controller.signal };
    return { requests, reports };
  }

  test('are sent again with the next one if the gateway was away', async () => {
    const { requests, reports } = clientOf(new GatewayUnreachable('away'), new GatewayUnreachable('away'));
    await reportMachine(reports);
    expect(requests.map((samples) => samples.length)).toEqual([1, 2, 3]);
    expect(requests[2]?.slice(0, 2)).toEqual(requests[1]);
  });

  test('are kept for some minutes at most', async () => {
    const { requests, reports } = clientOf(...Array.from({ length: 70 }, () => new GatewayUnreachable('away')));
    await reportMachine(reports);
    expect(requests.at(-1)).toHaveLength(60);
  });

  test('end if the gateway refuses them', async () => {
    const { requests, reports } = clientOf(new RequestRefused('BAD_REQUEST', 'Cannot query field "reportDeviceTelemetry".'));
    await reportMachine(reports);
    expect(requests).toHaveLength(1);
  });
});

describe('A sample of a machine', () => {
  test('has the load since the sample before', async () => {
    const meter = new MachineMeter();
    const until = performance.now() + 300;
    while (performance.now() < until);
    const { cpu, gpuDutyCycle } = await meter.sample(false);
    expect(cpu).toBeGreaterThan(0.3);
    expect(gpuDutyCycle).toBeUndefined();
  });

  test('counts all GPUs, and those that report no memory as unused', () => {
    const gpu = { id: 'GPU-0', model: 'A100', dutyCycle: 51, memoryMb: 100, usedMemoryMb: 40 };
    expect(sampleAllGpus([gpu, { ...gpu, dutyCycle: 0, usedMemoryMb: 0 }])).toEqual({ gpuDutyCycle: 26, gpuMemory: 0.2 });
    expect(sampleAllGpus([{ ...gpu, memoryMb: 0, usedMemoryMb: 0 }])).toEqual({ gpuDutyCycle: 51, gpuMemory: 0 });
    expect(sampleAllGpus([])).toBeNull();
  });
});
