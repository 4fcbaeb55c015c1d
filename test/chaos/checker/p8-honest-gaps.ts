/**
 * P8: `missed` counts exactly the rows that a frame skips. A cursor that was never issued is
 * refused.
 */
import { readCursor } from './cursors.ts';
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';

export function checkHonestGaps({ history }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const { client, stream, jobId, after, frames } of history.subscriptions) {
    // The rows of a job are numbered without gaps. Feed positions have gaps.
    if (stream === 'feed') continue;
    let place = after === null ? 0 : readCursor(after).seq;
    for (const { cursor, missed, rows, line } of frames) {
      const { seq } = readCursor(cursor);
      const passed = seq - place;
      if (passed !== missed + rows.length)
        findings.push(
          broken(`${stream} of ${jobId} went on by ${passed}, with ${rows.length} rows and ${missed} said to be missed.`, [
            `${client}.jsonl:${line}`,
          ]),
        );
      place = seq;
    }
  }
  for (const { client, line, what, code } of history.probes)
    if (code !== 'BAD_REQUEST')
      findings.push(broken(`${what} was ${code === null ? 'taken' : `refused with ${code}`}.`, [`${client}.jsonl:${line}`]));
  return findings;
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P8', says, evidence });
