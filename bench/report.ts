/** The report as text: the figures of each contestant, and the ratio to each peer with its goal. */
import type { Figures } from './rounds.ts';

/** The gateway against one peer. */
export interface Comparison {
  readonly ours: Figures;
  readonly peer: Figures;
  /** The ratio to reach; null where no goal is set. */
  readonly goal: number | null;
}

export interface Report {
  readonly bench: string;
  /** The unit of the figures: `requests/s`. */
  readonly unit: string;
  readonly figures: readonly Figures[];
  readonly comparisons: readonly Comparison[];
  /** Additional lines. */
  readonly notes?: readonly string[];
}

/** This checkout against another, which it must not be slower than. */
export function reportAgainst(bench: string, unit: string, figures: readonly Figures[]): Report {
  const [ours, peer] = figures;
  if (!ours || !peer) throw new Error('Expected the figures of two contestants.');
  return { bench, unit, figures, comparisons: [{ ours, peer, goal: 0.95 }] };
}

/**
 * A contestant's rounds: median, slowest and fastest, per processor second, and the server's load.
 */
function describeFigures({ name, perSecond, perCpuSecond, busy, loadBusy, least, most }: Figures, unit: string): string {
  const byCpu = Number.isNaN(perCpuSecond)
    ? ''
    : `   ${whole(perCpuSecond)} a cpu-second, server ${percent(busy)} busy, load ${percent(loadBusy)}`;
  return `  ${name.padEnd(26)}${whole(perSecond).padStart(9)} ${unit} (rounds ${whole(least)} to ${whole(most)})${byCpu}`;
}

export function describeReport({ bench, unit, figures, comparisons, notes = [] }: Report): string {
  const lines = [`${bench}`, ...figures.map((one) => describeFigures(one, unit))];
  for (const { ours, peer, goal } of comparisons) {
    lines.push(`  → ${describeRatio(ours, peer)} × ${peer.name}${goal === null ? '' : `, goal ${goal}: ${verdict(ours, peer, goal)}`}`);
  }
  return [...lines, ...notes.map((note) => `  ${note}`)].join('\n');
}

/** All ratios of a run, repeated at the end. */
export function describeRatios(reports: readonly Report[]): string {
  const rows = reports.flatMap(({ bench, comparisons }) =>
    comparisons.map(({ ours, peer, goal }) => [
      bench,
      `against ${peer.name}`,
      (ours.perSecond / peer.perSecond).toFixed(2),
      (ours.perCpuSecond / peer.perCpuSecond).toFixed(2),
      goal === null ? '' : `≥ ${goal}`,
      goal === null ? '' : verdict(ours, peer, goal),
    ]),
  );
  const head = ['bench', '', 'ratio', 'by cpu', 'goal', ''];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function describeRatio(ours: Figures, peer: Figures): string {
  const byCpu = ours.perCpuSecond / peer.perCpuSecond;
  return `${(ours.perSecond / peer.perSecond).toFixed(2)}${Number.isNaN(byCpu) ? '' : ` (by cpu ${byCpu.toFixed(2)})`}`;
}

/** By the servers' processor time, where known: other work on the machine changes it least. */
function verdict(ours: Figures, peer: Figures, goal: number): string {
  const byCpu = ours.perCpuSecond / peer.perCpuSecond;
  return (Number.isNaN(byCpu) ? ours.perSecond / peer.perSecond : byCpu) >= goal ? 'reached' : 'not reached';
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
const whole = (value: number) => Math.round(value).toLocaleString('en');
