/** Federated jobs and their rounds, for readers. */
import { and, asc, eq, inArray } from 'drizzle-orm';
import type { FederationRow, RoundRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { type Placeholder, statement } from '../store.ts';

export const federationsOfJobs = batch<FederationRow>('federations of jobs', (db, t, jobIds) =>
  db.select().from(t.federations).where(inArray(t.federations.jobId, jobIds)),
);

/** Ordered by number. */
export const roundsOfJobs = batch<RoundRow>(
  'rounds of jobs',
  (db, t, jobIds) => db.select().from(t.rounds).where(inArray(t.rounds.jobId, jobIds)).orderBy(asc(t.rounds.jobId), asc(t.rounds.number)),
  { isList: true },
);

/** In the order of their selection. */
export const shownParticipants = statement('shown participants', (db, t, $: Placeholder<{ jobId: string; round: number }>) =>
  db
    .select()
    .from(t.participants)
    .where(and(eq(t.participants.jobId, $('jobId')), eq(t.participants.round, $('round'))))
    .orderBy(asc(t.participants.position)),
);
