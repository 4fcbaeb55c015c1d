/** Jobs, steps and files in the terms of other systems, for clients that come from them. */
import type { JobStatus, StepStatus } from '../core/lifecycle.ts';
import type { FragmentType, JobInitiator } from '../core/vocabulary.ts';

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

/** A step has the words of a job. One that was skipped was never more than created there. */
export const nativeStepStatus = (dialect: Dialect, status: StepStatus): string => words[status === 'SKIPPED' ? 'BLOCKED' : status][dialect];

/** mlcycle's numbers. The other systems do not tell what started a job. */
const initiators: Readonly<Record<JobInitiator, string>> = { MANUAL: '0', GIT: '1', DATA: '2' };
export const nativeInitiator = (dialect: Dialect, initiator: JobInitiator): string | null =>
  dialect === 'MLCYCLE' ? initiators[initiator] : null;

/** mlcycle's numbers. It has three types of files, and the other systems have none. */
const fragmentTypes: Partial<Record<FragmentType, string>> = { METRICS: '0', BUILD_LOGS: '1', MODEL: '2' };
export const nativeFragmentType = (dialect: Dialect, type: FragmentType): string | null =>
  dialect === 'MLCYCLE' ? (fragmentTypes[type] ?? null) : null;
