/**
 * P6: the same idempotency key and input is one job, marked as a replay after the first time.
 * Another input under the key is a conflict.
 */
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { type CallOf, callsOf, groupBy, isDone, tell } from './history.ts';

type Creation = CallOf<'createJob'>;

export function checkIdempotent({ history, stored }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const jobsByName = groupBy(stored.jobs, ({ name }) => name);
  const byKey = groupBy(callsOf(history.calls, 'createJob'), ({ input }) => input.idempotencyKey ?? '');
  for (const [key, calls] of byKey) {
    if (key === '') continue;
    findings.push(...checkKey(key, calls));
    // Jobs of the chaos tests have their key as their name.
    const made = jobsByName.get(calls[0]?.input.name ?? '') ?? [];
    if (made.length > 1)
      findings.push(
        broken(`There are ${made.length} jobs of the key ${key}.`, [...made.map(({ id }) => `jobs ${id}`), ...calls.map(tell)]),
      );
    const kept = stored.keys.filter((row) => row.key === key && row.operation === 'createJob');
    const isKept = kept.length === 1 && kept[0]?.result[0] === made[0]?.id;
    if (made.length === 1 && !isKept)
      findings.push(broken(`The key ${key} is not kept with the job that was made for it.`, [`jobs ${made[0]?.id}`]));
  }
  return findings;
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P6', says, evidence });

function checkKey(key: string, calls: readonly Creation[]): Finding[] {
  const findings: Finding[] = [];
  const done = calls.filter(isDone);
  const ids = new Set(done.map(jobOf));
  if (ids.size > 1) findings.push(broken(`The key ${key} was answered with ${ids.size} jobs.`, done.map(tell)));
  const inputs = new Set(done.map(({ input }) => JSON.stringify(input)));
  if (inputs.size > 1) findings.push(broken(`Different inputs under the key ${key} were done.`, done.map(tell)));
  const first = done.filter((call) => !isReplay(call));
  if (first.length > 1) findings.push(broken(`The key ${key} was answered ${first.length} times as no replay.`, first.map(tell)));
  const [earliest] = done.toSorted((a, b) => (a.answered?.mono ?? 0) - (b.answered?.mono ?? 0));
  for (const call of earliest ? calls : []) {
    if (!earliest || call.result === null || call.asked.mono <= (earliest.answered?.mono ?? 0)) continue;
    const isSame = JSON.stringify(call.input) === JSON.stringify(earliest.input);
    const both = [tell(earliest), tell(call)];
    if (isSame && !(isDone(call) && isReplay(call)))
      findings.push(broken(`The key ${key} came again, and was not answered as a replay.`, both));
    if (!isSame && call.result.__typename !== 'IdempotencyConflictError')
      findings.push(broken(`The key ${key} came with another input, and was not answered as a conflict.`, both));
  }
  return findings;
}

const jobOf = ({ result }: Creation) => (result?.__typename === 'CreateJobPayload' ? result.job.id : '');
const isReplay = ({ result }: Creation) => result?.__typename === 'CreateJobPayload' && result.isReplay;
