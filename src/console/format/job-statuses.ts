import type { JobStatus } from '../generated.ts';

/** All statuses, in the order in which a job passes through them. */
export const jobStatuses: readonly JobStatus[] = [
  ...(['RUNNING', 'QUEUED', 'BLOCKED', 'SUSPENDED', 'CANCELLING'] as const),
  ...(['SUCCEEDED', 'FAILED', 'CANCELLED'] as const),
];
