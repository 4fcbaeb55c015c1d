/** What the job is, how it stands and why, and what can be done with it. */
import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { unwrap } from '../../../client/errors.ts';
import { Action } from '../../components/action.tsx';
import { Command, Id } from '../../components/copy.tsx';
import { addKeys } from '../../components/keys.ts';
import { isOver, Status, wordOf } from '../../components/status.tsx';
import { Ago, Took } from '../../components/time.tsx';
import { CancelJobDocument, RetryJobDocument, ShareJobDocument } from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';
import { mayEdit, viewer } from '../../streams/viewer.ts';
import type { LiveJob } from './job.tsx';

/** How long a shared link works. */
const LINK_DAYS = 7;

export function JobHead({ job }: { readonly job: LiveJob }) {
  const running = job.steps.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'RUNNING'));
  const devices = [...new Map(running.flatMap(({ device }) => (device ? [[device.id, device] as const] : []))).values()];
  const isWatcher = viewer.value?.kind === 'WATCH';
  return (
    <div class="head">
      <div>
        <h1>{job.name}</h1>
        <div class="facts">
          <Status status={job.status} />
          {devices.length > 0 && (
            <span>
              on{' '}
              {devices.map((device, index) => (
                <Fragment key={device.id}>
                  {index > 0 && ', '}
                  {isWatcher ? device.name : <a href={`/devices/${device.id}`}>{device.name}</a>}
                </Fragment>
              ))}
            </span>
          )}
          {job.startedAt && <Took from={job.startedAt} to={job.finishedAt} />}
          <span>
            created <Ago at={job.createdAt} /> by {job.owner}
          </span>
          {job.code && <Code code={job.code} />}
          {job.experiment && <a href={`/experiments/${job.experiment.id}`}>{job.experiment.name}</a>}
          {job.application && <a href={`/applications/${job.application.id}`}>{job.application.name}</a>}
          {job.labels.map(({ key, value }) => (
            <a class="label" key={key} href={`/jobs?label=${encodeURIComponent(`${key}=${value}`)}`}>
              {key}={value}
            </a>
          ))}
          <Id id={job.id} />
        </div>
        <Why job={job} />
        {job.description && <p class="muted">{job.description}</p>}
      </div>
      {!isWatcher && <Actions job={job} />}
    </div>
  );
}

/** The code that travels with it: the hash of its archive, and the state of its repository. */
function Code({ code: { sha256, git } }: { readonly code: NonNullable<LiveJob['code']> }) {
  const short = (hash: string) => hash.slice(0, 12);
  const commit = git && `git ${git.commit === null ? (git.ref ?? '') : short(git.commit)}`.trim();
  const state = git && [commit, git.branch && `on ${git.branch}`, git.isDirty && 'with changes'].filter(Boolean).join(' ');
  return <span title={sha256 ?? undefined}>code {[sha256 && short(sha256), state].filter(Boolean).join(', ')}</span>;
}

/** Why it is in this status: the reason of its last transition, and what its script said. */
function Why({ job: { status, statusMessage, history, httpUrl } }: { readonly job: LiveJob }) {
  const isPlain = status === 'SUCCEEDED' || status === 'RUNNING' || history.reason === 'CREATED';
  return (
    <>
      {!isPlain && (
        <p class={status === 'FAILED' ? 'why bad' : 'why'}>
          {history.description || `${wordOf(history.reason)}${history.exitCode ? `, exit code ${history.exitCode}` : ''}`}
        </p>
      )}
      {statusMessage && <p class="why">{statusMessage}</p>}
      {httpUrl && (
        <p class="why">
          Serves HTTP at{' '}
          <a href={httpUrl} rel="noreferrer noopener" target="_blank">
            {httpUrl}
          </a>
        </p>
      )}
    </>
  );
}

function Actions({ job }: { readonly job: LiveJob }) {
  const bar = useRef<HTMLDivElement>(null);
  // The button asks; the key only presses it.
  useEffect(() => addKeys({ '.': () => bar.current?.querySelector<HTMLButtonElement>('button.danger:not(:disabled)')?.click() }), []);
  const { route } = useLocation();
  const link = useSignal<string | null>(null);
  const isShown = useSignal(false);
  const disabled = mayEdit() ? undefined : 'It takes the role EDITOR.';
  // One key for as long as the page is open, however often the link is looked at.
  const share = async () => {
    isShown.value = true;
    if (link.value !== null) return;
    const input = {
      name: `link to ${job.name}`.slice(0, 100),
      kind: 'WATCH',
      jobId: job.id,
      expiresInSeconds: LINK_DAYS * 86_400,
    } as const;
    const { secret } = unwrap((await gateway.request(ShareJobDocument, { input })).createApiKey);
    link.value = `${location.origin}/jobs/${job.id}#key=${secret}`;
  };
  const retry = async () => {
    const { job: again } = unwrap((await gateway.request(RetryJobDocument, { input: { jobId: job.id } })).retryJob);
    route(`/jobs/${again.id}`);
  };
  return (
    <div class="actions" ref={bar}>
      <Action run={share} disabled={disabled}>
        Share
      </Action>
      {isOver(job.status) ? (
        <Action run={retry} disabled={disabled}>
          Retry
        </Action>
      ) : (
        <Action
          isDangerous
          question={`Cancel ${job.name}?`}
          yes="Cancel it"
          disabled={disabled ?? (job.status === 'CANCELLING' ? 'It is being cancelled.' : undefined)}
          run={async () => unwrap((await gateway.request(CancelJobDocument, { input: { jobId: job.id } })).cancelJob)}
        >
          Cancel
        </Action>
      )}
      {isShown.value && link.value !== null && (
        <div class="popover" role="dialog" aria-label="Link to this job">
          <p>Whoever has this link sees this job, and nothing else, for {LINK_DAYS} days.</p>
          <Command>{link.value}</Command>
          <button
            type="button"
            onClick={() => {
              isShown.value = false;
            }}
          >
            Close
          </button>
        </div>
      )}
    </div>
  );
}
