/** Telemetry: the resources a step uses, over time. */

import { insertTelemetrySamples, knownSample, takeNumbers } from '../../store/changes/streams.ts';
import type { Optional } from '../../store/optional.ts';
import type { StepRow, TelemetrySampleRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { type Change, topics } from '../core/change.ts';
import type { Checks } from '../core/checks.ts';

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

/**
 * Stores samples in the order given. Returns how many are new. A sample with the time of one that
 * the attempt has reported before is skipped.
 */
export async function storeTelemetry(change: Change, step: StepRow, samples: readonly TelemetryInput[]): Promise<number> {
  const { tx, now } = change;
  const of = { jobId: step.jobId, stepNumber: step.number, attempt: step.attemptCount };
  const fresh = new Map<number, TelemetryInput>();
  for (const sample of samples) {
    const at = sample.at ?? now;
    if (!fresh.has(at.getTime()) && (await tx.run(knownSample, { ...of, at })).length === 0) fresh.set(at.getTime(), sample);
  }
  if (fresh.size === 0) return 0;
  const first = await takeNumbers(tx, step.jobId, 'telemetry', fresh.size);
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
  tx.touch(topics.telemetry(step.jobId));
  return rows.length;
}
