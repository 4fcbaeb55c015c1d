/** Deadlines, moved along with a wall clock that jumped. */
import { and, isNotNull, isNull } from 'drizzle-orm';
import type { Tx } from '../store.ts';

/** All that lie ahead, of jobs and of rounds: a statement for each, however many there are. */
export async function shiftDeadlines({ db, t: { jobs, rounds }, dialect }: Tx, milliseconds: number): Promise<void> {
  await db
    .update(jobs)
    .set({ deadlineAt: dialect.later(jobs.deadlineAt, milliseconds) })
    .where(isNotNull(jobs.deadlineAt));
  await db
    .update(rounds)
    .set({ deadlineAt: dialect.later(rounds.deadlineAt, milliseconds) })
    .where(and(isNotNull(rounds.deadlineAt), isNull(rounds.finishedAt)));
}
