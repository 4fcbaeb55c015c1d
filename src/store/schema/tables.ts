/**
 * Every table, declared once for both databases. Each noun has a file, and this one collects them.
 */
import { accessTables } from './access.ts';
import type { Kit } from './columns.ts';
import { deviceTables } from './devices.ts';
import { federationTables } from './federations.ts';
import { fragmentTables } from './fragments.ts';
import { jobTables } from './jobs.ts';
import { projectTables } from './projects.ts';
import { stepTables } from './steps.ts';
import { streamTables } from './streams.ts';

export type Tables = ReturnType<typeof defineTables>;

/** The tables of each noun come after those that they refer to. */
export function defineTables(kit: Kit) {
  const projects = projectTables(kit);
  const devices = deviceTables(kit, projects);
  const jobs = jobTables(kit, projects);
  const steps = stepTables(kit, { ...projects, ...jobs });
  const federations = federationTables(kit, jobs);
  const fragments = fragmentTables(kit, { ...projects, ...jobs });
  const streams = streamTables(kit, jobs);
  const access = accessTables(kit, { ...projects, ...jobs, ...devices });
  return { ...projects, ...devices, ...jobs, ...steps, ...federations, ...fragments, ...streams, ...access };
}

type Row<T extends keyof Tables> = Tables[T]['$inferSelect'];
export type ProjectRow = Row<'projects'>;
export type DeviceRow = Row<'devices'>;
export type DeviceChangeRow = Row<'deviceChanges'>;
export type JobRow = Row<'jobs'>;
export type JobItemRow = Row<'jobItems'>;
export type QueueRow = Row<'queues'>;
export type StepRow = Row<'steps'>;
export type AttemptRow = Row<'attempts'>;
export type FragmentRow = Row<'fragments'>;
export type StreamRow = Row<'streams'>;
export type EventRow = Row<'events'>;
export type MetricPointRow = Row<'metricPoints'>;
export type MetricTierRow = Row<'metricTiers'>;
export type LatestMetricRow = Row<'latestMetrics'>;
export type TelemetrySampleRow = Row<'telemetrySamples'>;
export type LogChunkRow = Row<'logChunks'>;
export type ApiKeyRow = Row<'apiKeys'>;
export type AuditEntryRow = Row<'auditEntries'>;
export type ApplicationRow = Row<'applications'>;
export type ExperimentRow = Row<'experiments'>;
export type ModelRow = Row<'models'>;
export type ModelVersionRow = Row<'modelVersions'>;
export type FederationRow = Row<'federations'>;
export type RoundRow = Row<'rounds'>;
export type ParticipantRow = Row<'participants'>;
