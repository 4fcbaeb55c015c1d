/** The samples of whole devices are thinned and deleted like those of steps. */
import { asc, eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { reportDeviceTelemetry } from '../../../src/domain/claims/telemetry.ts';
import { defaultRetention, type RetentionRules } from '../../../src/domain/core/limits.ts';
import { deleteProject } from '../../../src/domain/jobs/projects.ts';
import { deleteDevice } from '../../../src/domain/steps/devices.ts';
import { applyRetention, removeDeleted } from '../../../src/domain/sweep/retention.ts';
import type { StreamRow, TelemetrySampleRow } from '../../../src/store/schema/tables.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin, type SeededDevice } from '../../support/seed.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

describeOnGround('The samples of a device', (on) => {
  const pause = async () => {};
  const apply = (rules: Partial<RetentionRules>, which: 'open' | 'all' = 'all') =>
    applyRetention(on().seed.domain, { ...defaultRetention, thinTelemetryDays: null, ...rules }, { pause, which });

  /** One every ten seconds, from the start of a minute. The memory grows within each minute. */
  async function sample({ principal, device }: SeededDevice, count: number, daysAgo: number): Promise<void> {
    const start = Math.floor(on().seed.clock.now().getTime() / MINUTE_MS) * MINUTE_MS - daysAgo * DAY_MS;
    const all = Array.from({ length: count }, (_, i) => ({ cpu: 1, memoryMb: i % 6, at: new Date(start + i * 10_000) }));
    for (let i = 0; i < count; i += 500)
      await reportDeviceTelemetry(on().seed.domain, principal, { deviceId: device.id, samples: all.slice(i, i + 500) });
  }
  async function stored({ device }: SeededDevice): Promise<{ samples: TelemetrySampleRow[]; stream: StreamRow | undefined }> {
    const { db, t } = on().store.read;
    const of = t.telemetrySamples;
    const samples = await db.select().from(of).where(eq(of.jobId, device.id)).orderBy(asc(of.seq));
    const [stream] = await db.select().from(t.streams).where(eq(t.streams.jobId, device.id));
    return { samples, stream };
  }

  test('are thinned to that of each minute with the most memory', async () => {
    const device = await on().seed.registerDevice();
    await sample(device, 60, 2);
    await sample(device, 6, 0);
    await apply({ thinTelemetryDays: 1 }, 'open');
    expect((await stored(device)).samples).toHaveLength(66);
    await apply({ thinTelemetryDays: 1 });
    const { samples } = await stored(device);
    expect(samples.slice(0, 10).map(({ memoryMb }) => memoryMb)).toEqual(Array(10).fill(5));
    expect(samples).toHaveLength(16);
  });

  test('are deleted when they are too old themselves, in small steps', async () => {
    const device = await on().seed.registerDevice();
    await sample(device, 1_200, 11);
    await sample(device, 60, 9);
    await apply({ telemetryDays: 10 });
    const { samples, stream } = await stored(device);
    expect(samples.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, i) => 1_201 + i));
    expect(stream).toMatchObject({ first: 1_201, last: 1_260, removed: 1_200 });
    await apply({ telemetryDays: 10 });
    expect((await stored(device)).samples).toHaveLength(60);
    await apply({ telemetryDays: 8 });
    expect((await stored(device)).samples).toEqual([]);
  });

  test('go after the device was deleted, or its project', async () => {
    const { seed } = on();
    const [first, second] = [await seed.registerDevice(), await seed.registerDevice()];
    const other = await seed.registerDevice({ projectId: undefined, name: `of all ${seed.project.id}` });
    for (const device of [first, second, other]) await sample(device, 600, 0);
    await deleteDevice(seed.domain, admin, { deviceId: first.device.id });
    expect((await stored(first)).samples).toHaveLength(600);
    await removeDeleted(seed.domain, pause);
    expect(await stored(first)).toEqual({ samples: [], stream: undefined });
    expect((await stored(second)).samples).toHaveLength(600);
    await deleteProject(seed.domain, admin, { projectId: seed.project.id });
    await removeDeleted(seed.domain, pause);
    expect(await stored(second)).toEqual({ samples: [], stream: undefined });
    expect((await stored(other)).samples).toHaveLength(600);
  });
});
