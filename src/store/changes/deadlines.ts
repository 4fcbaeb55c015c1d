/** Deadlines, moved along with a wall clock that jumped. */
import { and, eq, isNotNull, isNull } from 'drizzle-orm';
import type { Tx } from '../store.ts';

/** All that lie ahead, of jobs and of rounds. One by one: each database adds to a moment in a way of its own, and this is seldom. */
export async function shiftDeadlines({ db, t }: Tx, milliseconds: number): Promise<void> {
  const shifted = (deadlineAt: Date | null) => ({ deadlineAt: deadlineAt && new Date(deadlineAt.getTime() + milliseconds) });
  for (const { id, deadlineAt } of await db
    .select({ id: t.jobs.id, deadlineAt: t.jobs.deadlineAt })
    .from(t.jobs)
    .where(isNotNull(t.jobs.deadlineAt)))
    await db.update(t.jobs).set(shifted(deadlineAt)).where(eq(t.jobs.id, id));
  const open = and(isNotNull(t.rounds.deadlineAt), isNull(t.rounds.finishedAt));
  for (const { jobId, number, deadlineAt } of await db.select().from(t.rounds).where(open))
    await db
      .update(t.rounds)
      .set(shifted(deadlineAt))
      .where(and(eq(t.rounds.jobId, jobId), eq(t.rounds.number, number)));
}
