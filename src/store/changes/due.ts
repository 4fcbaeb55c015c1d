/** Whether the sweep has anything to do, asked in one statement instead of seven. */
import { or, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { silentOrBack } from '../queries/devices.ts';
import { type Placeholder, type Preparable, statement } from '../store.ts';
import { abandonedSteps, overdueRounds } from './federations.ts';
import { dueJobs } from './jobs.ts';
import { anyPreemptibleStep, anyReservation } from './reservations.ts';
import { expiredLeases } from './steps.ts';

export const anythingDue = statement('anything due', (db, t, $: Placeholder<{ now: Date; since: Date; limit: number }>, dialect) =>
  db
    .select({
      isDue: sql<boolean>`${or(
        exists(expiredLeases.build(db, t, $, dialect)),
        exists(dueJobs.build(db, t, $, dialect)),
        exists(overdueRounds.build(db, t, $, dialect)),
        exists(abandonedSteps.build(db, t, $, dialect)),
        exists(anyPreemptibleStep.build(db, t, $, dialect)),
        exists(anyReservation.build(db, t, $, dialect)),
        exists(silentOrBack.build(db, t, $, dialect)),
      )}`.mapWith(Boolean),
    })
    .from(sql`(select 1) as one`),
);

/** Cast: what builds a statement is a query of Drizzle's, which can stand in another. */
const exists = (query: Preparable<unknown>): SQL => sql`exists ${query as unknown as SQLWrapper}`;
