/**
 * P3: a request with a lease that is no longer current changes nothing and is answered with
 * STALE_LEASE.
 */
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { type CallOf, groupBy, isDone, isStale, type Lease, tell, type Use } from './history.ts';

export function checkFenced(evidence: Evidence): Finding[] {
  const overs = whenOver(evidence);
  return [...takenTooLate(evidence, overs), ...storedThough(evidence)];
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P3', says, evidence });

/** When a lease was known to be over, and from what. */
interface Over {
  readonly at: number;
  readonly by: string;
}

/**
 * By token: the first moment at which a client knew of the end of the attempt, or of a later
 * attempt.
 */
function whenOver({ history }: Evidence): Map<string, Over> {
  const overs = new Map<string, Over>();
  const note = (token: string, at: number, by: string) => {
    if (at < (overs.get(token)?.at ?? Number.POSITIVE_INFINITY)) overs.set(token, { at, by });
  };
  for (const leases of groupBy([...history.leases.values()], ({ stepId }) => stepId).values()) {
    for (const later of leases) {
      for (const { attempt, token } of leases)
        if (attempt < later.attempt) note(token, later.claim.answered?.mono ?? Number.POSITIVE_INFINITY, tell(later.claim));
    }
  }
  for (const [token, uses] of history.uses) {
    for (const use of uses) if (isEnd(use) && isDone(use) && use.answered) note(token, use.answered.mono, tell(use));
  }
  const tokens = new Map(
    [...history.leases.values()].map(({ stepNumber, jobId, attempt, token }) => [`${jobId} ${stepNumber} ${attempt}`, token]),
  );
  for (const { subscription, client, frames } of history.subscriptions) {
    for (const { rows, mono, line } of frames) {
      for (const row of rows) {
        if (row.__typename !== 'StepStatusChangedEvent' || row.stepTo === 'RUNNING' || row.stepTo === 'CANCELLING') continue;
        const { job, step } = row as { job: { id: string }; step: { number: number } }; // the document of events selects them
        const token = tokens.get(`${job.id} ${step.number} ${row.attempt}`);
        if (token !== undefined) note(token, mono, `${client}.jsonl:${line} ${subscription}: ${row.stepFrom} → ${row.stepTo}`);
      }
    }
  }
  return overs;
}

const isEnd = ({ operation }: Use) => operation === 'completeStep' || operation === 'failStep' || operation === 'releaseStep';

/** Requested after the end of the lease was known, and not answered as stale. */
function takenTooLate({ history }: Evidence, overs: ReadonlyMap<string, Over>): Finding[] {
  const findings: Finding[] = [];
  for (const [token, uses] of history.uses) {
    const over = overs.get(token);
    const lease = history.leases.get(token);
    if (!over || !lease) continue;
    for (const use of uses) {
      if (use.asked.mono <= over.at || use.result === null || isStale(use) || isKnownFragment(use)) continue;
      const what = isDone(use) ? 'was taken' : `was answered with ${use.result.__typename}`;
      findings.push(
        broken(`${use.operation} under attempt ${lease.attempt} at ${lease.stepId}, which was over, ${what}.`, [over.by, tell(use)]),
      );
    }
  }
  return findings;
}

/** Bytes that are already stored are reported as such, whoever sends them. */
const isKnownFragment = ({ result }: Use) => result?.__typename === 'UploadRefused' && (result.status === 409 || result.status === 404);

/** If every try of a write was answered as stale or never sent, the write is not stored. */
function storedThough(evidence: Evidence): Finding[] {
  const { history } = evidence;
  const findings: Finding[] = [];
  for (const lease of history.leases.values()) {
    const intents = [...groupBy(history.uses.get(lease.token) ?? [], ({ intent }) => intent).values()];
    const stale = intents.filter((uses) => uses.every(isStale)).flat();
    const meant = intents.filter((uses) => !uses.every(isStale)).flat();
    findings.push(...strangeLog(evidence, lease, meant), ...strangeMetrics(evidence, lease, meant), ...strangeFiles(evidence, stale));
  }
  return findings;
}

const reports = (uses: readonly Use[]) => uses.filter((use): use is CallOf<'reportProgress'> => use.operation === 'reportProgress');

/**
 * The log of an attempt is exactly what its holder wrote while it held the step, byte for byte, and
 * its lines are counted.
 */
function strangeLog({ log }: Evidence, lease: Lease, meant: readonly Use[]): Finding[] {
  const written: Buffer[] = [];
  let size = 0;
  const chunks = reports(meant).flatMap(({ input }) => input.log ?? []);
  for (const { offset, text } of chunks.sort((a, b) => a.offset - b.offset)) {
    const rest = Buffer.from(text).subarray(Math.max(0, size - offset));
    if (offset > size || rest.length === 0) continue;
    written.push(rest);
    size += rest.length;
  }
  const expected = Buffer.concat(written);
  let offset = 0;
  let line = 1;
  for (const row of log.get(lease.jobId) ?? []) {
    if (row.stepNumber !== lease.stepNumber || row.attempt !== lease.attempt) continue;
    const stored = Buffer.from(row.text);
    const name = `log_chunks ${row.jobId} ${row.seq}: ${JSON.stringify(row.text.slice(0, 120))}`;
    if (row.offset !== offset)
      return [broken(`The log of attempt ${lease.attempt} at ${lease.stepId} has a hole or an overlap at ${offset}.`, [name])];
    if (!expected.subarray(offset, offset + stored.length).equals(stored))
      return [
        broken(`The log of attempt ${lease.attempt} at ${lease.stepId} holds what its holder did not write.`, [name, tell(lease.claim)]),
      ];
    if (row.firstLine !== line)
      return [
        broken(`The log of attempt ${lease.attempt} at ${lease.stepId} goes on in line ${line}, and not in line ${row.firstLine}.`, [name]),
      ];
    offset += stored.length;
    line += row.text.split('\n').length - 1;
  }
  return [];
}

function strangeMetrics({ metrics }: Evidence, lease: Lease, meant: readonly Use[]): Finding[] {
  const name = (point: { name: string; iteration?: number | null | undefined; value: number }) =>
    `${point.name} ${point.iteration} ${point.value}`;
  const sent = new Set(
    meant.flatMap((use) =>
      (use.operation === 'reportProgress' || use.operation === 'completeStep' ? (use.input.metrics ?? []) : []).map(name),
    ),
  );
  return (metrics.get(lease.jobId) ?? [])
    .filter((row) => row.stepNumber === lease.stepNumber && row.attempt === lease.attempt && !sent.has(name(row)))
    .map((row) =>
      broken(`A metric of attempt ${lease.attempt} at ${lease.stepId} is stored that its holder did not report.`, [
        `metric_points ${row.jobId} ${row.seq}: ${name(row)}`,
        tell(lease.claim),
      ]),
    );
}

/** Files that were refused as stale each time they were sent. */
function strangeFiles({ stored, fragments }: Evidence, stale: readonly Use[]): Finding[] {
  return stale.flatMap((use) => {
    if (use.operation === 'createFragment') {
      const row = stored.fragments.find(({ filename, jobId }) => filename === use.input.filename && jobId === use.input.jobId);
      return row ? [broken(`${row.filename} was refused as stale, and is there.`, [tell(use), `fragments ${row.id}`])] : [];
    }
    if (use.operation !== 'uploadFragment') return [];
    const row = fragments.get(use.input.fragmentId);
    return row?.status === 'READY'
      ? [broken(`The bytes of ${row.id} were refused as stale, and it is READY.`, [tell(use), `fragments ${row.id}`])]
      : [];
  });
}
