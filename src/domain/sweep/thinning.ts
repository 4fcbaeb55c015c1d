/**
 * Decides which old points and samples stay when a stream is thinned.
 *
 * Metrics are thinned in windows of neighbouring points, one after the other. In each window the
 * first, last, lowest and highest point of every curve stay, and between them those that keep its
 * shape (largest triangle three buckets). So a curve keeps its ends, extremes and peaks, however
 * long it is and wherever the thinning stopped. Rejected: every n-th point, which loses the spike
 * that the reader looks for; averages, which no step ever reported.
 */
import { extremes, thin } from '../../store/queries/thinning.ts';
import type { MetricPointRow, TelemetrySampleRow } from '../../store/schema/tables.ts';

/** Keeps about one of `oneOf` points of each curve. */
export function keptPoints(points: readonly MetricPointRow[], oneOf: number): ReadonlySet<MetricPointRow> {
  const curves = Map.groupBy(points, ({ stepNumber, attempt, name }) => `${stepNumber} ${attempt} ${name}`);
  const kept = new Set<MetricPointRow>();
  for (const curve of curves.values()) {
    const drawing = {
      x: ({ iteration, at }: MetricPointRow) => iteration ?? at.getTime(),
      curves: [({ value }: MetricPointRow) => value],
    };
    for (const point of extremes(curve, drawing)) kept.add(point);
    for (const point of thin(curve, Math.ceil(curve.length / oneOf), drawing)) kept.add(point);
  }
  return kept;
}

/**
 * Keeps the sample with the most memory of each minute of each attempt. Readers want to know how
 * much memory a step needs at its peak.
 */
export function keptSamples(samples: readonly TelemetrySampleRow[]): ReadonlySet<TelemetrySampleRow> {
  const highest = new Map<string, TelemetrySampleRow>();
  for (const sample of samples) {
    const minute = `${sample.stepNumber} ${sample.attempt} ${minuteOf(sample)}`;
    const known = highest.get(minute);
    if (!known || sample.memoryMb > known.memoryMb) highest.set(minute, sample);
  }
  return new Set(highest.values());
}

/**
 * Drops the last minute, because more samples of it may follow. Keeps everything if there is only
 * one minute.
 */
export function wholeMinutes<R extends { readonly at: Date }>(rows: readonly R[]): readonly R[] {
  const last = rows.at(-1);
  const end = last ? rows.findLastIndex((row) => minuteOf(row) !== minuteOf(last)) : -1;
  return end < 0 ? rows : rows.slice(0, end + 1);
}

const minuteOf = ({ at }: { readonly at: Date }) => Math.floor(at.getTime() / 60_000);
