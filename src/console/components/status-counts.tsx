import { jobStatuses } from '../format/job-statuses.ts';
import { formatCount } from '../format/numbers.ts';
import type { JobStatus } from '../generated.ts';
import { Status, wordOf } from './status.tsx';

/** Shown only when there are any, or when they are chosen. */
const rare: readonly JobStatus[] = ['BLOCKED', 'SUSPENDED', 'CANCELLING'];

interface StatusCountsProps {
  /** Undefined: not known yet. */
  readonly counts: ReadonlyMap<string, number> | undefined;
  readonly chosen?: readonly JobStatus[];
  /** Where a click on a status leads. */
  linkOf(status: JobStatus): string;
}

/** How many jobs have each status. A click filters by it. */
export function StatusCounts({ counts, chosen = [], linkOf }: StatusCountsProps) {
  return (
    <nav class="counts" aria-label="Jobs by status">
      {jobStatuses
        .filter((status) => !rare.includes(status) || (counts?.get(status) ?? 0) > 0 || chosen.includes(status))
        .map((status) => (
          <a key={status} href={linkOf(status)} aria-current={chosen.includes(status) ? 'true' : undefined}>
            <Status status={status}>{wordOf(status)}</Status>
            <b>{counts ? formatCount(counts.get(status) ?? 0) : '–'}</b>
          </a>
        ))}
    </nav>
  );
}

export const mapOfCounts = (counts: readonly { readonly key: string; readonly count: number }[]): ReadonlyMap<string, number> =>
  new Map(counts.map(({ key, count }) => [key, count]));
