/** Telemetry: the resources that a step or a whole device uses, over time. */

import { endsOf, insertTelemetrySamples, knownSample, samplesInWindow, takeNumbers, WINDOW_ENTRIES } from '../../store/changes/streams.ts';
import type { Optional } from '../../store/optional.ts';
import type { DeviceRow, TelemetrySampleRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import { type Change, change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { noteSeen, visibleDevice } from '../steps/devices.ts';

/** `cpu` 1 is one fully loaded core; `gpuDutyCycle` 0 to 100; `gpuMemory` 0 to 1. */
export interface TelemetryInput {
  at?: Optional<Date>;
  cpu: number;
  memoryMb: number;
  gpuDutyCycle?: Optional<number>;
  gpuMemory?: Optional<number>;
}

export function checkTelemetry(checks: Checks, path: readonly string[], samples: Optional<readonly TelemetryInput[]>): void {
  if (!samples) return;
  checks.count(path, samples, checks.limits.entriesAtMost);
  for (const [i, { cpu, memoryMb, gpuDutyCycle, gpuMemory }] of samples.entries()) {
    checks.range([...path, i, 'cpu'], cpu, 0, 1_000_000);
    checks.range([...path, i, 'memoryMb'], memoryMb, 0, 1e12);
    checks.range([...path, i, 'gpuDutyCycle'], gpuDutyCycle, 0, 100);
    checks.range([...path, i, 'gpuMemory'], gpuMemory, 0, 1);
  }
}

/** Whose samples: an attempt's, or those of a whole device (`ofDevice`). */
type SampleOwner = Pick<TelemetrySampleRow, 'jobId' | 'stepNumber' | 'attempt'>;

const ofDevice = ({ id }: DeviceRow): SampleOwner => ({ jobId: id, stepNumber: 0, attempt: 0 });

/**
 * Stores samples in the order given. Returns how many are new. A sample with the time of one that
 * its owner has reported before is skipped.
 */
export async function storeTelemetry(change: Change, of: SampleOwner, samples: readonly TelemetryInput[]): Promise<number> {
  const { tx, now } = change;
  if (samples.length === 0) return 0;
  const isKnown = await storedTimes(
    change,
    of,
    samples.map(({ at }) => at ?? now),
  );
  const fresh = new Map<number, TelemetryInput>();
  for (const sample of samples) {
    const at = sample.at ?? now;
    if (fresh.has(at.getTime())) continue;
    const known = isKnown(at);
    // Not awaited where it is known: a report has a thousand samples.
    if (!(known instanceof Promise ? await known : known)) fresh.set(at.getTime(), sample);
  }
  if (fresh.size === 0) return 0;
  const first = await takeNumbers(tx, of.jobId, 'telemetry', fresh.size);
  const rows: TelemetrySampleRow[] = [...fresh].map(([ms, { cpu, memoryMb, gpuDutyCycle = null, gpuMemory = null }], i) => ({
    ...of,
    seq: first + i,
    at: new Date(ms),
    cpu,
    memoryMb,
    gpuDutyCycle,
    gpuMemory,
  }));
  await insertRows(tx, insertTelemetrySamples, rows);
  tx.touch(topics.telemetry(of.jobId));
  return rows.length;
}

/** Returns a function that tells whether the owner has a sample of one of these times. */
async function storedTimes({ tx }: Change, of: SampleOwner, times: readonly Date[]): Promise<(at: Date) => boolean | Promise<boolean>> {
  const [from, to] = endsOf(times.map((at) => at.getTime()));
  const found = await tx.run(samplesInWindow, { jobId: of.jobId, from: new Date(from), to: new Date(to), limit: WINDOW_ENTRIES });
  if (found.length === WINDOW_ENTRIES) return async (at) => (await tx.run(knownSample, { ...of, at })).length > 0;
  const own = found.filter(({ stepNumber, attempt }) => stepNumber === of.stepNumber && attempt === of.attempt);
  const stored = new Set(own.map(({ at }) => at.getTime()));
  return (at) => stored.has(at.getTime());
}

export interface ReportDeviceTelemetryInput {
  deviceId: string;
  samples: readonly TelemetryInput[];
}

/** Stores what the whole device uses. The device counts as seen. */
export async function reportDeviceTelemetry(
  domain: Domain,
  principal: Principal,
  { deviceId, samples }: ReportDeviceTelemetryInput,
): Promise<{ accepted: number }> {
  requireRight(principal, 'updateDevice');
  const checks = new Checks(domain);
  checkTelemetry(checks, ['samples'], samples);
  checks.done();
  return change(domain, principal, async (change) => {
    const device = await visibleDevice(change, principal, deviceId);
    await noteSeen(change, device);
    return { accepted: await storeTelemetry(change, ofDevice(device), samples) };
  });
}
