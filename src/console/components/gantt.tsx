/**
 * The steps of a job over time: a row a step, hatched while it waited, a bar an attempt. A click on
 * a bar opens its log.
 */
import { formatDuration, secondsBetween } from '../format/time.ts';
import type { AttemptFieldsFragment, JobStepFieldsFragment } from '../generated.ts';
import { now } from '../streams/clock.ts';
import { Status, wordOf } from './status.tsx';
import { Took } from './time.tsx';

interface GanttProps {
  readonly steps: readonly JobStepFieldsFragment[];
  readonly createdAt: string;
  readonly finishedAt: string | null;
  /** The address of an attempt's log. */
  linkOf(step: number, attempt: number): string;
}

/** More steps are shown on demand: a page of bars tells nothing. */
const SHOWN_STEPS = 40;

export const barOf: Readonly<Record<AttemptFieldsFragment['outcome'], string>> = {
  RUNNING: 'b-run',
  SUCCEEDED: 'b-ok',
  FAILED: 'b-bad',
  LOST: 'b-bad',
  CANCELLED: 'b-idle',
  PREEMPTED: 'b-idle',
  RELEASED: 'b-idle',
};

export function Gantt({ steps, createdAt, finishedAt, linkOf }: GanttProps) {
  const start = Date.parse(createdAt);
  const end = Math.max(start + 1_000, finishedAt === null ? now.value : Date.parse(finishedAt));
  const percent = (at: string | number) =>
    Math.min(100, Math.max(0, (((typeof at === 'string' ? Date.parse(at) : at) - start) / (end - start)) * 100));
  const span = (from: string | number, to: string | number) => ({
    left: `${percent(from)}%`,
    width: `max(2px, ${percent(to) - percent(from)}%)`,
  });
  const shown = steps.length <= SHOWN_STEPS ? steps : pickSteps(steps);
  return (
    <ul class="gantt" aria-label="Steps over time">
      {shown.map((step) => {
        const waits = waitsOf(step, end);
        return (
          <li class="gantt-row" key={step.id}>
            <Status status={step.status}>
              <span class="ellipsis">{step.name}</span>
            </Status>
            <div class="t">
              {waits.map(([from, to]) => (
                <span key={from} class="q" style={span(from, to)} title={`Waited ${formatDuration((to - from) / 1_000)}`} />
              ))}
              {step.attempts.map((attempt) => (
                <a
                  key={attempt.number}
                  class={barOf[attempt.outcome]}
                  style={span(attempt.claimedAt, attempt.finishedAt ?? end)}
                  href={linkOf(step.number, attempt.number)}
                  title={describeAttempt(attempt)}
                >
                  <span class="unseen">{`${step.name}, ${describeAttempt(attempt)}`}</span>
                </a>
              ))}
            </div>
            <span class="right muted">
              {step.attempts.length > 1 && <span class="faint">attempt {step.attempts.length} · </span>}
              {step.startedAt ? <Took from={step.startedAt} to={step.finishedAt} /> : wordOf(step.status).toLowerCase()}
            </span>
          </li>
        );
      })}
      {shown.length < steps.length && <li class="muted">{steps.length - shown.length} more steps are in the list of the log.</li>}
    </ul>
  );
}

/** Those that run or failed first, in their order. */
function pickSteps(steps: readonly JobStepFieldsFragment[]): readonly JobStepFieldsFragment[] {
  const weight = ({ status }: JobStepFieldsFragment) =>
    status === 'RUNNING' ? 0 : status === 'FAILED' ? 1 : status === 'SUCCEEDED' ? 2 : 3;
  const picked = [...steps].sort((a, b) => weight(a) - weight(b) || a.number - b.number).slice(0, SHOWN_STEPS);
  return picked.sort((a, b) => a.number - b.number);
}

/** From when to when the step waited for a device, in milliseconds. */
function waitsOf({ queuedAt, attempts, status, finishedAt }: JobStepFieldsFragment, end: number): (readonly [number, number])[] {
  const waits: (readonly [number, number])[] = [];
  let from = queuedAt === null ? null : Date.parse(queuedAt);
  // queuedAt is the newest time that it was queued. Before the earlier attempts it waited since the
  // one before them ended.
  const [first] = attempts;
  if (first && from !== null && from > Date.parse(first.claimedAt)) from = null;
  for (const { claimedAt, finishedAt: ended } of attempts) {
    if (from !== null) waits.push([from, Date.parse(claimedAt)]);
    from = ended === null ? null : Date.parse(ended);
  }
  if (status === 'QUEUED' && from !== null) waits.push([from, finishedAt === null ? end : Date.parse(finishedAt)]);
  return waits;
}

export function describeAttempt({ number, outcome, device, claimedAt, finishedAt, exitCode, reason }: AttemptFieldsFragment): string {
  const took = finishedAt === null ? '' : ` after ${formatDuration(secondsBetween(claimedAt, finishedAt))}`;
  const why =
    exitCode !== null && exitCode !== 0
      ? `, exit code ${exitCode}`
      : reason && outcome !== 'SUCCEEDED' && outcome !== 'RUNNING'
        ? `, ${wordOf(reason).toLowerCase()}`
        : '';
  return `attempt ${number} ${device ? `on ${device.name} ` : ''}${wordOf(outcome).toLowerCase()}${took}${why}`;
}
