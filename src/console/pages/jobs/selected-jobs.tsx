/** What can be done with several jobs at once. */
import { useSignal } from '@preact/signals';
import { unwrap } from '../../../client/errors.ts';
import { Action } from '../../components/action.tsx';
import { formatCount, plural } from '../../format/numbers.ts';
import { CancelJobDocument, RetryJobDocument } from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';
import { mayEdit } from '../../streams/viewer.ts';
import type { JobRow } from './job-rows.ts';

/** Jobs of one comparison. */
const MOST_COMPARED = 50;
const SHOWN_NAMES = 4;

interface Outcome {
  readonly done: string;
  readonly refused: readonly { readonly job: JobRow; readonly why: string }[];
}

interface SelectedJobsProps {
  readonly jobs: readonly JobRow[];
  onClear(): void;
}

export function SelectedJobs({ jobs, onClear }: SelectedJobsProps) {
  const outcome = useSignal<Outcome | null>(null);
  const disabled = mayEdit() ? undefined : 'It takes the role EDITOR.';
  /** One after the other, so that a refusal names its job, and a long list is no burst. */
  const each = async (word: string, act: (jobId: string) => Promise<unknown>) => {
    const refused: Outcome['refused'][number][] = [];
    for (const job of jobs) {
      await act(job.id).catch((error: Error) => refused.push({ job, why: error.message }));
    }
    outcome.value = { done: `${word} ${formatCount(jobs.length - refused.length)} of ${formatCount(jobs.length)}.`, refused };
  };
  const cancel = async (jobId: string) => unwrap((await gateway.request(CancelJobDocument, { input: { jobId } })).cancelJob);
  const retry = async (jobId: string) => unwrap((await gateway.request(RetryJobDocument, { input: { jobId } })).retryJob);
  return (
    <>
      <b>{formatCount(jobs.length)} selected</b>
      {jobs.length <= MOST_COMPARED ? (
        <a class="button" href={`/compare?jobs=${jobs.map(({ id }) => id).join(',')}`}>
          Compare
        </a>
      ) : (
        <button type="button" disabled title={`At most ${MOST_COMPARED} jobs can be compared.`}>
          Compare
        </button>
      )}
      <Action question={`Retry ${nameAll(jobs)}?`} yes="Retry" disabled={disabled} run={() => each('Retried', retry)}>
        Retry
      </Action>
      <Action isDangerous question={`Cancel ${nameAll(jobs)}?`} yes="Cancel them" disabled={disabled} run={() => each('Cancelled', cancel)}>
        Cancel
      </Action>
      <button type="button" class="plain" onClick={onClear}>
        Clear
      </button>
      {outcome.value && (
        <span class={outcome.value.refused.length > 0 ? 'refused' : 'muted'} role="status">
          {outcome.value.done}
          {outcome.value.refused.slice(0, SHOWN_NAMES).map(({ job, why }) => (
            <span key={job.id}>
              {' '}
              <a href={`/jobs/${job.id}`}>{job.name}</a>: {why}
            </span>
          ))}
          {outcome.value.refused.length > SHOWN_NAMES && ` And ${outcome.value.refused.length - SHOWN_NAMES} more.`}
        </span>
      )}
    </>
  );
}

/** `mnist-resnet`, `3 jobs: a, b, c`, `9 jobs: a, b, c, d and 5 more` */
function nameAll(jobs: readonly JobRow[]): string {
  if (jobs.length === 1) return jobs[0]?.name ?? '';
  const names = jobs.slice(0, SHOWN_NAMES).map(({ name }) => name);
  const rest = jobs.length - names.length;
  return `${plural(jobs.length, 'job')}: ${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
