/**
 * P7, for the feed: it is in commit order. If a change was answered before another was requested,
 * its event stands first.
 */
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { type MadeEvent, madeEvents } from './made.ts';

export function checkCommitOrder(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  let latest: MadeEvent | null = null;
  for (const made of madeEvents(evidence).sort((a, b) => a.row.position - b.row.position)) {
    if (latest && made.answered < latest.asked) {
      findings.push({
        promise: 'P7',
        says: `${nameOf(latest)} stands before ${nameOf(made)} in the feed, and was asked for only after that was answered.`,
        evidence: [latest.call, made.call],
      });
    }
    if (!latest || made.asked > latest.asked) latest = made;
  }
  return findings;
}

const nameOf = ({ row }: MadeEvent) => `event ${row.seq} of ${row.jobId} (at ${row.position})`;
