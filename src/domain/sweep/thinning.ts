/**
 * Which old points and samples stay when a stream is thinned.
 *
 * Of metrics, windows of neighbouring points are thinned one after the other. In each window, the first and the last point of every curve stay, its
 * lowest and its highest, and between them those that keep its shape (largest triangle three buckets). So a curve keeps its ends, its extremes and its
 * peaks, however long it is and wherever the thinning had to stop. Rejected: every n-th point, which loses just the spike that one is looking for;
 * averages, which nobody ever reported.
 */
import { extremes, thin } from '../../store/queries/thinning.ts';
import type { MetricPointRow, TelemetrySampleRow } from '../../store/schema/tables.ts';

/** Of each curve among the points, about one of `oneOf`. */
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

/** Of each minute of each attempt, the sample with the most memory: what people look for afterwards is how much a step needs at its peak. */
export function keptSamples(samples: readonly TelemetrySampleRow[]): ReadonlySet<TelemetrySampleRow> {
  const highest = new Map<string, TelemetrySampleRow>();
  for (const sample of samples) {
    const minute = `${sample.stepNumber} ${sample.attempt} ${minuteOf(sample)}`;
    const known = highest.get(minute);
    if (!known || sample.memoryMb > known.memoryMb) highest.set(minute, sample);
  }
  return new Set(highest.values());
}

/** Without the last minute, which may go on after what was read; all of it where there is no other. */
export function wholeMinutes<R extends { readonly at: Date }>(rows: readonly R[]): readonly R[] {
  const last = rows.at(-1);
  const end = last ? rows.findLastIndex((row) => minuteOf(row) !== minuteOf(last)) : -1;
  return end < 0 ? rows : rows.slice(0, end + 1);
}

const minuteOf = ({ at }: { readonly at: Date }) => Math.floor(at.getTime() / 60_000);
