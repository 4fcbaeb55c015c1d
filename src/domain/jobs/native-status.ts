/** The status of a job in the terms of other systems, for clients that come from them. */
import type { JobStatus } from '../core/lifecycle.ts';

export const dialects = ['VERGEAI', 'SEEME', 'NEUROMATION', 'MLCYCLE'] as const;
export type Dialect = (typeof dialects)[number];

/** mlcycle's are numbers: Created 0, InProgress 1, Done 2, Scheduled 21, Error 31. */
const words: Readonly<Record<JobStatus, Readonly<Record<Dialect, string>>>> = {
  BLOCKED: { VERGEAI: 'INITIALIZED', SEEME: 'WAITING', NEUROMATION: 'PENDING', MLCYCLE: '0' },
  QUEUED: { VERGEAI: 'INITIALIZED', SEEME: 'WAITING', NEUROMATION: 'PENDING', MLCYCLE: '21' },
  RUNNING: { VERGEAI: 'IN_PROGRESS', SEEME: 'STARTED', NEUROMATION: 'RUNNING', MLCYCLE: '1' },
  SUSPENDED: { VERGEAI: 'IN_PROGRESS', SEEME: 'STARTED', NEUROMATION: 'SUSPENDED', MLCYCLE: '21' },
  CANCELLING: { VERGEAI: 'IN_PROGRESS', SEEME: 'STARTED', NEUROMATION: 'RUNNING', MLCYCLE: '1' },
  SUCCEEDED: { VERGEAI: 'COMPLETED', SEEME: 'FINISHED', NEUROMATION: 'SUCCEEDED', MLCYCLE: '2' },
  FAILED: { VERGEAI: 'CANCELLED', SEEME: 'ERROR', NEUROMATION: 'FAILED', MLCYCLE: '31' },
  CANCELLED: { VERGEAI: 'CANCELLED', SEEME: 'ERROR', NEUROMATION: 'CANCELLED', MLCYCLE: '31' },
};

export interface JobToName {
  readonly status: JobStatus;
  readonly isFederated: boolean;
  /** Whether a device, or the gateway itself, is averaging the models of a round. */
  readonly isAggregating: boolean;
}

export function nativeStatus(dialect: Dialect, { status, isFederated, isAggregating }: JobToName): string {
  if (dialect === 'VERGEAI' && isFederated) {
    if (status === 'RUNNING' && isAggregating) return 'AGGREGATION_IN_PROGRESS';
    // There, selecting devices counts as progress, and it happens when the job is created.
    if (status === 'QUEUED') return 'IN_PROGRESS';
  }
  return words[status][dialect];
}
