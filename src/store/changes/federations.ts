/**
 * Federated jobs, as changes read and write them. The federation's row is locked before any step of
 * its job: see domain/steps/lock-order.ts.
 */
import { and, asc, desc, eq, gte, isNotNull, isNull, lt, lte, notExists, or, sql } from 'drizzle-orm';
import { heldStepStatuses, type ParticipantStatus } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord, withoutIndex } from '../schema/columns.ts';
import { openParticipants } from '../schema/federations.ts';
import type { ParticipantRow, RoundRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';

export const insertFederation = insertOf('federations');
export const insertRound = insertOf('rounds');
export const insertParticipant = insertOf('participants', { sizes: [8, 1] });

export const lockFederation = statement('lock federation', (db, t, $: Placeholder<{ jobId: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.federations)
      .where(eq(t.federations.jobId, $('jobId'))),
    'wait',
  ),
);

export const newestRound = statement('newest round', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select()
    .from(t.rounds)
    .where(eq(t.rounds.jobId, $('jobId')))
    .orderBy(desc(t.rounds.number))
    .limit(1),
);

export const roundByNumber = statement('round by number', (db, t, $: Placeholder<{ jobId: string; number: number }>) =>
  db
    .select()
    .from(t.rounds)
    .where(and(eq(t.rounds.jobId, $('jobId')), eq(t.rounds.number, $('number')))),
);

export const participantsOfRound = statement('participants of round', (db, t, $: Placeholder<{ jobId: string; round: number }>) =>
  db
    .select()
    .from(t.participants)
    .where(and(eq(t.participants.jobId, $('jobId')), eq(t.participants.round, $('round'))))
    .orderBy(asc(t.participants.position)),
);

/**
 * The edge devices of a project that were seen since the given time, in a fixed order: the input of
 * a selection.
 */
export const onlineEdgeDevices = statement('online edge devices', (db, t, $: Placeholder<{ projectId: string; since: Date }>) =>
  db
    .select()
    .from(t.devices)
    .where(
      and(
        eq(t.devices.projectId, $('projectId')),
        isWord(t.devices.kind, 'EDGE'),
        sql`not ${t.devices.isDraining}`,
        gte(t.devices.lastSeenAt, $('since', t.devices.lastSeenAt)),
      ),
    )
    .orderBy(asc(t.devices.id)),
);

/** Unfinished rounds whose deadline has come. */
export const overdueRounds = statement('overdue rounds', (db, t, $: Placeholder<{ now: Date; limit: number }>) =>
  db
    .select({ jobId: t.rounds.jobId, number: t.rounds.number })
    .from(t.rounds)
    .where(and(isNull(t.rounds.finishedAt), isNotNull(t.rounds.deadlineAt), lte(t.rounds.deadlineAt, $('now', t.rounds.deadlineAt))))
    .limit($('limit')),
);

/**
 * Steps of rounds that wait for a device that will not claim them: it was not seen since the given
 * time, drains, or was deleted.
 */
export const abandonedSteps = statement('abandoned steps', (db, t, $: Placeholder<{ since: Date; limit: number }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.participants)
    .innerJoin(t.steps, eq(t.steps.id, t.participants.stepId))
    .leftJoin(t.devices, eq(t.devices.id, t.participants.deviceId))
    .where(
      and(
        openParticipants(t.participants.status),
        isWord(withoutIndex(t.steps.status), 'QUEUED'),
        or(isNull(t.devices.lastSeenAt), lt(t.devices.lastSeenAt, $('since', t.devices.lastSeenAt)), sql`${t.devices.isDraining}`),
      ),
    )
    .limit($('limit')),
);

export const modelOfAttempt = statement('model of attempt', (db, t, $: Placeholder<{ jobId: string; stepId: string; attempt: number }>) =>
  db
    .select()
    .from(t.fragments)
    .where(
      and(
        eq(t.fragments.jobId, $('jobId')),
        eq(t.fragments.stepId, $('stepId')),
        eq(t.fragments.attempt, $('attempt')),
        isWord(t.fragments.type, 'MODEL'),
        isWord(t.fragments.status, 'READY'),
      ),
    )
    .orderBy(desc(t.fragments.readyAt), desc(t.fragments.id))
    .limit(1),
);

/** Returns false if another transaction moved the round since it was read. */
export async function saveRound(
  { db, t }: Tx,
  { jobId, number, status }: Pick<RoundRow, 'jobId' | 'number' | 'status'>,
  columns: Partial<RoundRow>,
): Promise<boolean> {
  const isAsRead = and(eq(t.rounds.jobId, jobId), eq(t.rounds.number, number), eq(t.rounds.status, status));
  return (await db.update(t.rounds).set(columns).where(isAsRead).returning({ number: t.rounds.number })).length === 1;
}

export const participantOfStep = statement('participant of step', (db, t, $: Placeholder<{ stepId: string }>) =>
  db
    .select()
    .from(t.participants)
    .where(eq(t.participants.stepId, $('stepId'))),
);

/** Returns false if another transaction moved the participant since it was read. */
export async function saveParticipant(
  { db, t }: Tx,
  { stepId, status }: Pick<ParticipantRow, 'stepId' | 'status'>,
  columns: Partial<ParticipantRow>,
): Promise<boolean> {
  const isAsRead = and(eq(t.participants.stepId, stepId), eq(t.participants.status, status));
  return (await db.update(t.participants).set(columns).where(isAsRead).returning({ stepId: t.participants.stepId })).length === 1;
}

const dropped: ParticipantStatus = 'DROPPED'; // where `drop` leads from each of the open statuses

/**
 * For the end of a job. Drops open participants whose step has no lease: no model of them can
 * follow.
 */
export async function dropOpenParticipants({ db, t }: Tx, jobId: string): Promise<void> {
  const held = db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(and(eq(t.steps.id, t.participants.stepId), isOneOf(t.steps.status, heldStepStatuses)));
  await db
    .update(t.participants)
    .set({ status: dropped })
    .where(and(eq(t.participants.jobId, jobId), openParticipants(t.participants.status), notExists(held)));
}

/** The newest value of each metric that an attempt reported. */
export const metricsOfAttempt = statement(
  'metrics of attempt',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; attempt: number }>) =>
    db
      .select({ name: t.latestMetrics.name, value: t.latestMetrics.value })
      .from(t.latestMetrics)
      .where(
        and(
          eq(t.latestMetrics.jobId, $('jobId')),
          eq(t.latestMetrics.stepNumber, $('stepNumber')),
          eq(t.latestMetrics.attempt, $('attempt')),
        ),
      )
      .orderBy(asc(t.latestMetrics.name)),
);

const roundAwaiting = statement('round awaiting', (db, t, $: Placeholder<{ jobId: string; fragmentId: string }>) =>
  db
    .select({ number: t.rounds.number, status: t.rounds.status })
    .from(t.participants)
    .innerJoin(t.rounds, and(eq(t.rounds.jobId, t.participants.jobId), eq(t.rounds.number, t.participants.round)))
    .where(
      and(
        eq(t.participants.jobId, $('jobId')),
        eq(t.participants.fragmentId, $('fragmentId')),
        isWord(t.participants.status, 'SUBMITTED'),
        isNull(t.rounds.finishedAt),
      ),
    ),
);

const roundStartingFrom = statement('round starting from', (db, t, $: Placeholder<{ jobId: string; fragmentId: string }>) =>
  db
    .select({ number: t.rounds.number, status: t.rounds.status })
    .from(t.rounds)
    .where(and(eq(t.rounds.jobId, $('jobId')), eq(t.rounds.startModelId, $('fragmentId')), isNull(t.rounds.finishedAt))),
);

/** Returns an unfinished round that this model was submitted to, or that starts from it, if any. */
export async function roundThatNeeds(tx: Tx, of: { jobId: string; fragmentId: string }) {
  return [...(await tx.run(roundAwaiting, of)), ...(await tx.run(roundStartingFrom, of))][0];
}

export const recordAggregate = statement('record aggregate', (db, t, $: Placeholder<{ jobId: string; fragmentId: string }>) =>
  db
    .update(t.federations)
    .set({ aggregateModelId: $('fragmentId', t.federations.aggregateModelId) })
    .where(eq(t.federations.jobId, $('jobId'))),
);
