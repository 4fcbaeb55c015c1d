import { and, asc, desc, eq, ne } from 'drizzle-orm';
import { unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord, withoutIndex } from '../schema/columns.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, statement } from '../store.ts';

export const insertExperiment = insertOf('experiments');

/** This row is the lock of the experiment's queue of jobs. */
export const lockExperiment = statement('lock experiment', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.experiments)
      .where(eq(t.experiments.id, $('id'))),
    'wait',
  ),
);

/** The first job of an experiment that has not ended. All later ones wait for it. */
export const firstUnfinishedJob = statement('first unfinished job', (db, t, $: Placeholder<{ experimentId: string }>) =>
  db
    .select({ id: t.jobs.id, status: t.jobs.status })
    .from(t.jobs)
    .where(and(eq(t.jobs.experimentId, $('experimentId')), isOneOf(t.jobs.status, unfinishedJobStatuses)))
    .orderBy(asc(t.jobs.id))
    .limit(1),
);

/** The newest model that a job of the experiment produced and that still exists. */
export const newestResult = statement(
  'newest result of experiment',
  (db, t, $: Placeholder<{ experimentId: string; withoutJobId: string }>) =>
    db
      .select({ id: t.fragments.id })
      .from(t.jobs)
      .innerJoin(t.fragments, eq(t.fragments.id, t.jobs.resultModelId))
      .where(
        and(eq(t.jobs.experimentId, $('experimentId')), isWord(withoutIndex(t.jobs.status), 'SUCCEEDED'), ne(t.jobs.id, $('withoutJobId'))),
      )
      .orderBy(desc(t.jobs.id))
      .limit(1),
);

/** Returns an experiment whose first job starts from this fragment, if any. */
export const experimentStartingFrom = statement('experiment starting from', (db, t, $: Placeholder<{ fragmentId: string }>) =>
  db
    .select({ id: t.experiments.id })
    .from(t.experiments)
    .where(eq(t.experiments.startModelId, $('fragmentId')))
    .limit(1),
);
