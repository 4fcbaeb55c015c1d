/** What a device holds now, and how much more it could take. */
import type { HeldAttemptFieldsFragment } from '../generated.ts';
import { Took } from './time.tsx';

const SHOWN_STEPS = 2;
/** More marks than these say nothing. */
const SHOWN_SLOTS = 8;

export function HeldSteps({ attempts }: { readonly attempts: readonly HeldAttemptFieldsFragment[] }) {
  if (attempts.length === 0) return <span class="faint">nothing</span>;
  return (
    <>
      {attempts.slice(0, SHOWN_STEPS).map(({ step, number, claimedAt }) => (
        <div class="ellipsis" key={step.id}>
          <a href={`/jobs/${step.job.id}#s${step.number}a${number}`}>
            {step.job.name} <span class="muted">· {step.name}</span>
          </a>{' '}
          <span class="faint">
            <Took from={claimedAt} to={null} />
          </span>
        </div>
      ))}
      {attempts.length > SHOWN_STEPS && <div class="faint">and {attempts.length - SHOWN_STEPS} more</div>}
    </>
  );
}

export function Slots({ used, all }: { readonly used: number; readonly all: number }) {
  return (
    <span class="mono">
      {all <= SHOWN_SLOTS && (
        <span class="slots" aria-hidden="true">
          {Array.from({ length: all }, (_, slot) => (
            <i key={slot} class={slot < used ? 'used' : undefined} />
          ))}
        </span>
      )}
      {used} of {all}
    </span>
  );
}
