/** Findings as text. */
import type { Extent } from './check.ts';
import { type Finding, titles } from './finding.ts';
import { groupBy } from './history.ts';

/** Findings shown per promise; the rest is only counted. */
const MOST_SHOWN = 5;

export function report(findings: readonly Finding[], extent: Extent): string {
  const lines: string[] = [];
  for (const [promise, of] of [...groupBy(findings, (finding) => finding.promise)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`${promise} (${titles[of[0]?.promise ?? 'P1']}) is broken, ${of.length} times:`);
    for (const { says, evidence } of of.slice(0, MOST_SHOWN)) lines.push(`  ${says}`, ...evidence.map((each) => `      ${each}`));
    if (of.length > MOST_SHOWN) lines.push(`  … and ${of.length - MOST_SHOWN} more.`);
  }
  const { calls, acknowledged, unknown, frames, rowsWatched, jobs, attempts, lostAttempts } = extent;
  lines.push(
    `${calls} calls: ${acknowledged} acknowledged, ${unknown} without an answer. ${frames} frames with ${rowsWatched} rows. ` +
      `${jobs} jobs, ${attempts} attempts, ${lostAttempts} of them lost.`,
    findings.length === 0 ? 'No promise was broken.' : `${findings.length} violations.`,
  );
  return `${lines.join('\n')}\n`;
}
