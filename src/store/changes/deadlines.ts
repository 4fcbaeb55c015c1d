/** Deadlines and leases, moved along with a wall clock that jumped or past a time without a gateway: a statement for each table, however many there are. */
import { and, eq, isNotNull, isNull, lt, sql } from 'drizzle-orm';
import type { Tx } from '../store.ts';

/** All deadlines that lie ahead, of jobs and of rounds. */
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

/** Gives every lease that is held its full time from now on; or only those that end before that, and leaves those that last longer. */
export async function renewLeases({ db, t: { steps, attempts }, dialect }: Tx, now: Date, which: 'all' | 'shorter'): Promise<void> {
  const full = dialect.later(sql.param(now, steps.leaseExpiresAt), sql`${steps.leaseSeconds} * 1000`);
  await db
    .update(steps)
    .set({ leaseExpiresAt: full })
    .where(and(isNotNull(steps.leaseExpiresAt), which === 'shorter' ? lt(steps.leaseExpiresAt, full) : undefined));
  await db
    .update(attempts)
    .set({ leaseExpiresAt: sql`${steps.leaseExpiresAt}` })
    .from(steps)
    .where(and(isNotNull(steps.leaseExpiresAt), eq(attempts.stepId, steps.id), eq(attempts.number, steps.attemptCount)));
}
