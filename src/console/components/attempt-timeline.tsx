/** What a device ran, newest first: a row an attempt, all on one axis of time. */
import { formatExact } from '../format/time.ts';
import type { DeviceAttemptsQuery } from '../generated.ts';
import { now } from '../streams/clock.ts';
import { barOf, describeAttempt } from './gantt.tsx';
import { Status } from './status.tsx';
import { Ago, Took } from './time.tsx';

type DeviceAttempt = NonNullable<DeviceAttemptsQuery['device']>['attempts']['nodes'][number];

export function AttemptTimeline({ attempts }: { readonly attempts: readonly DeviceAttempt[] }) {
  const start = Math.min(...attempts.map(({ claimedAt }) => Date.parse(claimedAt)));
  const ends = attempts.map(({ finishedAt }) => (finishedAt === null ? now.value : Date.parse(finishedAt)));
  const end = Math.max(start + 1_000, ...ends);
  const percent = (at: number) => (Math.min(1, Math.max(0, (at - start) / (end - start))) * 100).toFixed(2);
  return (
    <>
      <ul class="gantt timeline" aria-label="Attempts over time, newest first">
        {attempts.map((attempt) => {
          const { step, number, outcome, claimedAt, finishedAt } = attempt;
          const from = percent(Date.parse(claimedAt));
          const to = percent(finishedAt === null ? end : Date.parse(finishedAt));
          const address = `/jobs/${step.job.id}#s${step.number}a${number}`;
          return (
            <li class="gantt-row" key={`${step.id} ${number}`}>
              <Status status={outcome}>
                <a class="ellipsis title" href={address}>
                  {step.job.name} <span class="muted">· {step.name}</span>
                </a>
              </Status>
              <div class="t">
                <a
                  class={barOf[outcome]}
                  style={{ left: `min(${from}%, calc(100% - 2px))`, width: `max(2px, ${Number(to) - Number(from)}%)` }}
                  href={address}
                  tabIndex={-1}
                  title={describeAttempt({ ...attempt, device: null })}
                >
                  <span class="unseen">{describeAttempt({ ...attempt, device: null })}</span>
                </a>
              </div>
              <span class="right muted">
                <Took from={claimedAt} to={finishedAt} />
                <span class="wide faint">
                  {' · '}
                  <Ago at={claimedAt} />
                </span>
              </span>
            </li>
          );
        })}
      </ul>
      <p class="axis faint">
        <span>{formatExact(new Date(start).toISOString())}</span>
        <span>{formatExact(new Date(end).toISOString())}</span>
      </p>
    </>
  );
}
