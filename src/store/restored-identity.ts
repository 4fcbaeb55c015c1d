/** What makes a store of its own of rows that were another one's: of a backup's, or of an older state. The same SQL on both databases. */
import type { FinishOptions } from './backup-format.ts';
import { feedOfAllJobs } from './schema/streams.ts';

export interface RawStatement {
  readonly text: string;
  readonly values: readonly string[];
}

/** `$1` stands for the value, as in PostgreSQL. */
export function newIdentityStatements({ identity, endsLeases }: FinishOptions): RawStatement[] {
  return [
    ...renaming(identity),
    // It is told from the database that it is restored into by the first gateway that opens it.
    { text: `delete from meta where key = 'origin'`, values: [] },
    // A store whose events had no place in the feed yet had no count of the places either.
    {
      text: `insert into streams (job_id, kind, last, first)
        select '${feedOfAllJobs}', 'event', coalesce(max(position), 0), 1 from events where true on conflict do nothing`,
      values: [],
    },
    // No token has this hash; and a lease of no length that ended when it began has run out when the gateway first looks.
    ...(endsLeases ? [{ text: endLeases, values: ['0'.repeat(64)] }] : []),
  ];
}

/**
 * Of a store that may be an older state of itself: the numbers that its streams will give next may have been given before, to other things. The cursors
 * of its former identity stay good for what is there now, and are refused beyond it for good.
 */
export function renewingStatements(identity: string): RawStatement[] {
  return [...renaming(identity), { text: `update streams set inherited = last where inherited <> last`, values: [] }];
}

/** Its cursors name it from now on; of those that it gave before, the ones up to `inherited` are good. */
function renaming(identity: string): RawStatement[] {
  return [
    { text: `delete from meta where key = 'parent'`, values: [] },
    { text: `update meta set key = 'parent' where key = 'identity'`, values: [] },
    { text: `insert into meta (key, value) values ('identity', $1)`, values: [identity] },
  ];
}

const endLeases = `
  update steps set lease_hash = $1, lease_seconds = 0,
    lease_expires_at = (select claimed_at from attempts where step_id = steps.id and number = steps.attempt_count)
  where lease_hash is not null`;
