import { pgSequence } from 'drizzle-orm/pg-core';
import { postgresKit } from './columns.ts';
import { defineTables } from './tables.ts';

export const tables = defineTables(postgresKit);
/** For drizzle-kit, which reads a module's exports. */
export const {
  meta,
  projects,
  devices,
  deviceChanges,
  jobs,
  applications,
  experiments,
  models,
  modelVersions,
  federations,
  rounds,
  participants,
  jobLabels,
  jobItems,
  queues,
  steps,
  attempts,
  fragments,
  streams,
  feedGaps,
  events,
  metricPoints,
  metricTiers,
  latestMetrics,
  telemetrySamples,
  logChunks,
  apiKeys,
  auditEntries,
  idempotencyKeys,
} = tables;

/** Numbers events in their order of arrival: see `Dialect.arrival`. */
export const eventsArrival = pgSequence('events_arrival');
