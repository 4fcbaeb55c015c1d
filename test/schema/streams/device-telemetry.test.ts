/** What a whole device uses, over time. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { Principal } from '../../../src/domain/access/principal.ts';
import type { Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';
import { askAs } from '../ask.ts';

interface Sample {
  readonly at: string;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly gpuDutyCycle: number | null;
  readonly gpuMemory: number | null;
  readonly stepNumber: number;
  readonly attempt: number;
}

describeOnEachStore('The telemetry of a device', (open) => {
  let store: Store;
  let seed: Seed;
  let device: SeededDevice;
  beforeAll(async () => {
    store = await open();
  });
  beforeEach(async () => {
    seed = await plantSeed(store, { seed: expect.getState().currentTestName ?? '' });
    device = await seed.registerDevice();
  });

  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString();
  async function report(samples: readonly object[], { as = device.principal, of = device }: { as?: Principal; of?: SeededDevice } = {}) {
    const query = `mutation ($input: ReportDeviceTelemetryInput!) {
      reportDeviceTelemetry(input: $input) { ... on ReportDeviceTelemetryPayload { accepted } ... on Error { code message } } }`;
    const input = { deviceId: of.device.id, samples };
    return (await askAs(seed.domain, as)<{ reportDeviceTelemetry: object }>(query, { input })).reportDeviceTelemetry;
  }
  async function read(args = '', as = admin) {
    const query = `query ($id: ID!) { device(id: $id) { status
      telemetry${args} { at cpu memoryMb gpuDutyCycle gpuMemory stepNumber attempt } latestTelemetry { at cpu } } }`;
    type Answer = { device: { status: string; telemetry: Sample[]; latestTelemetry: Sample | null } };
    return (await askAs(seed.domain, as)<Answer>(query, { id: device.device.id })).device;
  }

  test('is what its agent reports, in order of time, each time once', async () => {
    expect(await read()).toMatchObject({ telemetry: [], latestTelemetry: null });
    const gpu = { gpuDutyCycle: 50, gpuMemory: 0.25 };
    expect(await report([{ at: at(10), cpu: 1.5, memoryMb: 900, ...gpu }])).toEqual({ accepted: 1 });
    const both = [
      { at: at(10), cpu: 9, memoryMb: 9 },
      { at: at(20), cpu: 2, memoryMb: 901 },
    ];
    expect(await report(both)).toEqual({ accepted: 1 });
    expect(await read()).toMatchObject({
      telemetry: [
        { at: at(10), cpu: 1.5, memoryMb: 900, ...gpu, stepNumber: 0, attempt: 0 },
        { at: at(20), cpu: 2, memoryMb: 901, gpuDutyCycle: null, gpuMemory: null },
      ],
      latestTelemetry: { at: at(20), cpu: 2 },
    });
    expect((await read('', device.principal)).telemetry).toHaveLength(2);
    const other = await seed.registerDevice();
    const query = 'query ($id: ID!) { device(id: $id) { latestTelemetry { at } } }';
    expect(await askAs(seed.domain, admin)(query, { id: other.device.id })).toEqual({ device: { latestTelemetry: null } });
  });

  test('is read within a range of time, and with as many points as asked for', async () => {
    for (let from = 0; from < 2_000; from += 1_000) {
      const some = Array.from({ length: 1_000 }, (_, i) => from + i);
      await report(some.map((n) => ({ at: at(n * 10), cpu: n === 777 ? 64 : 1, memoryMb: n })));
    }
    const thinned = (await read('(maxPoints: 100)')).telemetry;
    expect(thinned).toHaveLength(100);
    expect(thinned.map(({ cpu }) => cpu)).toContain(64);
    expect(thinned.at(-1)?.memoryMb).toBe(1_999);
    const range = (await read(`(from: "${at(100)}", to: "${at(200)}")`)).telemetry;
    expect(range.map(({ memoryMb }) => memoryMb)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    await expect(read('(maxPoints: 0)')).rejects.toThrow(/BAD_REQUEST: maxPoints/);
  });

  test('shows that the device is online', async () => {
    seed.clock.jump(3_600_000);
    expect((await read()).status).toBe('OFFLINE');
    await report([{ cpu: 1, memoryMb: 1 }]);
    expect((await read()).status).toBe('ONLINE');
  });

  test('is reported by its own key and by editors only', async () => {
    const one = [{ cpu: 1, memoryMb: 1 }];
    const other = await seed.registerDevice();
    expect(await report(one, { as: other.principal })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await report(one, { as: admin })).toEqual({ accepted: 1 });
    await expect(report(one, { as: { ...admin, role: 'VIEWER' } })).rejects.toThrow('FORBIDDEN');
    await expect(report(one, { as: { ...admin, kind: 'WATCH', role: null } })).rejects.toThrow('FORBIDDEN');
    expect((await read()).telemetry).toHaveLength(1);
  });

  test('is refused beyond its ranges, with the field that is wrong', async () => {
    const refused = await report([
      { cpu: -1, memoryMb: 1 },
      { cpu: 1, memoryMb: 1, gpuMemory: 2 },
    ]);
    expect(refused).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await report(Array(1_001).fill({ cpu: 1, memoryMb: 1 }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect((await read()).telemetry).toEqual([]);
  });
});
