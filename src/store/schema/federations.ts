/** Federated jobs, their rounds, and the participating devices. */
import { sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import { type ParticipantStatus, participantStatuses, participantStatusesThatAllow, roundStatuses } from '../../domain/core/lifecycle.ts';
import { type Container, deviceSelectionStrategies, type TerminationCriterion } from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { JobTables } from './jobs.ts';

export function federationTables(kit: Kit, { jobs }: JobTables) {
  const { table, text, oneOf, int, real, bool, instant, json, longJson, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  /** The settings of a federated job. */
  const federations = table('federations', {
    jobId: text()
      .primaryKey()
      .references(() => jobs.id, cascade),
    deviceSelectionStrategy: oneOf(deviceSelectionStrategies).notNull(),
    numDevices: int().notNull(),
    numBufferDevices: int().notNull(),
    selectionSeed: text().notNull(),
    terminationCriteria: json<readonly TerminationCriterion[]>().notNull(),
    roundDeadlineSeconds: real(),
    trainContainer: longJson<Container>(),
    /** Null: the gateway's own aggregator aggregates. */
    aggregateContainer: longJson<Container>(),
    /** A fragment: the aggregate of the newest round that succeeded. */
    aggregateModelId: text(),
  });

  const rounds = table(
    'rounds',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      /** 1, 2, 3 … */
      number: int().notNull(),
      status: oneOf(roundStatuses).notNull(),
      quorum: int().notNull(),
      startModelId: text(),
      aggregateModelId: text(),
      /** Of the aggregate: the mean of the devices' metrics. */
      metrics: longJson<Readonly<Record<string, number>>>().notNull(),
      /** Whether the mean was weighted by numSamples. Null until there is one. */
      isWeighted: bool(),
      startedAt: instant().notNull(),
      deadlineAt: instant(),
      finishedAt: instant(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.number] }),
      index('rounds_deadline').on(t.deadlineAt).where(sql`${t.finishedAt} is null and ${t.deadlineAt} is not null`),
      check('rounds_status', isOneOf(t.status, roundStatuses)),
    ],
  );

  /** A device in a round. */
  const participants = table(
    'participants',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      round: int().notNull(),
      deviceId: text().notNull(),
      stepId: text().notNull(),
      status: oneOf(participantStatuses).notNull(),
      /** The submitted model. */
      fragmentId: text(),
      numSamples: int(),
      metrics: longJson<Readonly<Record<string, number>>>().notNull(),
      /** The order of selection. */
      position: int().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.round, t.deviceId] }),
      unique('participants_step').on(t.stepId),
      // Serves the search for devices that went away, which runs with every sweep.
      index('participants_open').on(t.stepId).where(openParticipants(t.status)),
      check('participants_status', isOneOf(t.status, participantStatuses)),
    ],
  );

  return { federations, rounds, participants };
}

/**
 * Devices that may still submit a model. One function, because SQLite uses a partial index only for
 * the same condition.
 */
export const openParticipants = (status: AnySQLiteColumn<{ data: ParticipantStatus }>) =>
  isOneOf(status, participantStatusesThatAllow('drop'));
