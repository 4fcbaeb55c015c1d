/**
 * Moves deadlines and leases after a jump of the wall clock or a time without a gateway: one
 * statement per table, however many rows there are.
 */
import { and, eq, isNotNull, isNull, lt, sql } from 'drizzle-orm';
import type { Tx } from '../store.ts';

/** Shifts all future deadlines of jobs and rounds. */
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

/**
 * Gives every held lease its full time from now. With 'shorter', only leases that would expire
 * before that; longer ones stay.
 */
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
