/**
 * A status by shape, word and colour, so that it can be told without seeing colours. Of all things
 * on a page only the running mark moves.
 */
import type { ComponentChildren } from 'preact';
import type { AttemptOutcome, DeviceStatus, JobStatus, ParticipantStatus, RoundStatus, StepStatus } from '../generated.ts';

export type AnyStatus = JobStatus | StepStatus | AttemptOutcome | DeviceStatus | RoundStatus | ParticipantStatus;

type Tone = 'ok' | 'bad' | 'run' | 'idle' | 'warn';

const check = (
  <>
    <path d="M6 .5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Z" fill="currentColor" />
    <path d="m3.4 6.2 1.8 1.8 3.4-3.8" fill="none" class="cut" />
  </>
);
const cross = <path d="m2 2 8 8M10 2l-8 8" class="stroke" />;
const ring = <circle cx="6" cy="6" r="4.6" class="line" />;
const turning = (
  <>
    <circle cx="6" cy="6" r="4.8" class="line faint" />
    <path class="line spin" d="M6 1.2A4.8 4.8 0 0 1 10.8 6" />
  </>
);
const diamond = <path d="M6 .8 11.2 6 6 11.2.8 6Z" class="line" />;
const bars = <path d="M4 2v8M8 2v8" class="stroke" />;
const dashed = <rect x="1.6" y="1.6" width="8.8" height="8.8" rx="1.5" class="line dashed" />;

const marks: Readonly<Record<AnyStatus, readonly [tone: Tone, shape: ComponentChildren]>> = {
  QUEUED: ['idle', ring],
  RUNNING: ['run', turning],
  SUCCEEDED: ['ok', check],
  FAILED: ['bad', cross],
  CANCELLED: ['idle', diamond],
  CANCELLING: ['warn', diamond],
  SUSPENDED: ['idle', bars],
  BLOCKED: ['idle', dashed],
  SKIPPED: ['idle', diamond],
  LOST: ['bad', cross],
  PREEMPTED: ['idle', bars],
  RELEASED: ['idle', diamond],
  ONLINE: ['ok', check],
  DRAINING: ['warn', bars],
  OFFLINE: ['idle', ring],
  TRAINING: ['run', turning],
  AGGREGATING: ['run', turning],
  INVITED: ['idle', ring],
  SUBMITTED: ['ok', check],
  LATE: ['warn', bars],
  DROPPED: ['bad', cross],
};

interface StatusProps {
  readonly status: AnyStatus;
  /** What stands beside the mark. Left out: the status in words. */
  readonly children?: ComponentChildren;
}

export function Status({ status, children }: StatusProps) {
  const [tone, shape] = marks[status];
  return (
    <span class={`st ${tone}`} title={children === undefined ? undefined : wordOf(status)}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        {shape}
      </svg>
      {children ?? wordOf(status)}
      {children !== undefined && <span class="unseen"> ({wordOf(status)})</span>}
    </span>
  );
}

/** `Running` */
export const wordOf = (status: string): string => status.charAt(0) + status.slice(1).toLowerCase().replaceAll('_', ' ');

export const isOver = (status: JobStatus | StepStatus): boolean =>
  status === 'SUCCEEDED' || status === 'FAILED' || status === 'CANCELLED' || status === 'SKIPPED';
