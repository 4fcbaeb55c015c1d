/** Federated jobs and their rounds, for readers. */
import { asc, inArray } from 'drizzle-orm';
import type { FederationRow, ParticipantRow, RoundRow } from '../schema/tables.ts';
import { batch, batchOfPairs } from '../statements/batch.ts';

export const federationsOfJobs = batch<FederationRow>('federations of jobs', (db, t, jobIds) =>
  db.select().from(t.federations).where(inArray(t.federations.jobId, jobIds)),
);

/** Ordered by number. */
export const roundsOfJobs = batch<RoundRow>(
  'rounds of jobs',
  (db, t, jobIds) => db.select().from(t.rounds).where(inArray(t.rounds.jobId, jobIds)).orderBy(asc(t.rounds.jobId), asc(t.rounds.number)),
  { isList: true },
);

/** Of these rounds, each by job and number, in the order of their selection. */
export const participantsOfRounds = batchOfPairs<ParticipantRow>('participants of rounds', (db, t, isAnyOf) =>
  db.select().from(t.participants).where(isAnyOf(t.participants.jobId, t.participants.round)).orderBy(asc(t.participants.position)),
);
