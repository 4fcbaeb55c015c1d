/**
 * Gives rows of another store, from a backup or an earlier state, an identity of their own. The SQL
 * is the same on both databases.
 */
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
    // The first gateway that opens the store determines its origin anew.
    { text: `delete from meta where key = 'origin'`, values: [] },
    // A store whose events had no positions yet had no counter of positions either.
    {
      text: `insert into streams (job_id, kind, last, first)
        select '${feedOfAllJobs}', 'event', coalesce(max(position), 0), 1 from events where true on conflict do nothing`,
      values: [],
    },
    // No token has this hash. A lease without length that ended when it began has expired when the
    // gateway first looks.
    ...(endsLeases ? [{ text: endLeases, values: ['0'.repeat(64)] }] : []),
  ];
}

/**
 * For a store that may be an earlier state of itself: the next numbers of its streams may have been
 * used before, for other entries. Cursors of its former identity stay valid for entries that exist
 * now, and are refused beyond them for good.
 */
export function renewingStatements(identity: string): RawStatement[] {
  return [...renaming(identity), { text: `update streams set inherited = last where inherited <> last`, values: [] }];
}

/** From now on, its cursors contain this identity. Older cursors are valid up to `inherited`. */
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
