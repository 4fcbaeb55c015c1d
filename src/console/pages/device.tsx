/** One device: what it has, what it runs and ran, and what it could claim. */
import type { ReadonlySignal } from '@preact/signals';
import { useSignal } from '@preact/signals';
import { useLocation, useRoute } from 'preact-iso';
import { Action } from '../components/action.tsx';
import { AttemptTimeline } from '../components/attempt-timeline.tsx';
import { Id } from '../components/copy.tsx';
import { DeviceActions } from '../components/device-actions.tsx';
import { DeviceLoad } from '../components/device-load.tsx';
import { Dialog } from '../components/dialog.tsx';
import { HeldSteps, Slots } from '../components/held-steps.tsx';
import { makeKey, StartCommand } from '../components/new-device.tsx';
import { Pager } from '../components/pager.tsx';
import { Empty, Panel, Problem, Skeleton } from '../components/panel.tsx';
import { Status, wordOf } from '../components/status.tsx';
import { Ago, Took } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { formatMegabytes } from '../format/numbers.ts';
import {
  ClaimableCountDocument,
  DeviceAttemptsDocument,
  DeviceChangesDocument,
  DevicePageDocument,
  type DevicePageQuery,
  JobChangesDocument,
  WaitingStepsDocument,
} from '../generated.ts';
import { useNewest } from '../streams/live.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';
import { mayEdit } from '../streams/viewer.ts';

type ShownDevice = NonNullable<DevicePageQuery['device']>;

export function DevicePage() {
  const { params } = useRoute();
  const { route } = useLocation();
  const id = params.id ?? '';
  const { data, error, refresh } = useQuery(DevicePageDocument, { id });
  const { value: changes } = useNewest(JobChangesDocument, { filter: null });
  useRefreshOn(changes, refresh);
  useRefreshOn(useNewest(DeviceChangesDocument, {}).value, refresh);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={8} />;
  const { device } = data.value;
  if (!device) return <Empty>There is no device at this address.</Empty>;
  setTitle(device.name);
  return (
    <>
      <div class="head">
        <div>
          <h1>{device.name}</h1>
          <div class="facts">
            <Status status={device.status} />
            <span>{wordOf(device.kind).toLowerCase()}</span>
            <Slots used={device.runningAttempts.length} all={device.slots} />
            <span>
              seen <Ago at={device.lastSeenAt} />
            </span>
            {device.labels.map(({ key, value }) => (
              <span class="label" key={key}>
                {key}={value}
              </span>
            ))}
            <Id id={device.id} />
          </div>
        </div>
        <div class="actions">
          <NewKey device={device} />
          <DeviceActions device={device} onChanged={refresh} onDeleted={() => route('/devices')} />
        </div>
      </div>
      <div class="grid">
        <Panel title="What it is" columns={6}>
          <Facts device={device} />
        </Panel>
        <Panel title="Waiting work" columns={6}>
          <WaitingWork id={id} />
        </Panel>
        <Panel title="Load in the last hour">
          <DeviceLoad id={id} resources={device.resources} changes={changes} />
        </Panel>
        <Panel title="Attempts">
          <Attempts id={id} changes={changes} />
        </Panel>
      </div>
    </>
  );
}

function Facts({ device: { resources, capabilities, project, createdAt, runningAttempts } }: { readonly device: ShownDevice }) {
  const { cpu, memoryMb, gpu, gpuModel, shm } = resources;
  const has = [
    cpu !== null && `${cpu} CPU`,
    memoryMb !== null && `${formatMegabytes(memoryMb)} of memory`,
    gpu !== null && `${gpu} GPU${gpuModel ? ` (${gpuModel})` : ''}`,
    shm && 'shared memory',
  ].filter((text) => text !== false);
  return (
    <dl class="pairs">
      <dt>Runs now</dt>
      <dd>
        <HeldSteps attempts={runningAttempts} />
      </dd>
      <dt>Has</dt>
      <dd>{has.length > 0 ? has.join(', ') : <span class="faint">not stated</span>}</dd>
      <dt>Can run</dt>
      <dd>
        {capabilities ? (
          [
            capabilities.runs.length > 0 && capabilities.runs.map((run) => wordOf(run).toLowerCase()).join(', '),
            capabilities.stepNames.length > 0 && `steps called ${capabilities.stepNames.join(', ')}`,
          ]
            .filter(Boolean)
            .join('; ') || 'anything'
        ) : (
          <span class="faint">not stated: any step</span>
        )}
      </dd>
      <dt>Serves</dt>
      <dd>{project?.name ?? 'all projects'}</dd>
      <dt>Registered</dt>
      <dd>
        <Ago at={createdAt} />
      </dd>
    </dl>
  );
}

/** What waits, in the order in which it is claimed, and what keeps this device from it. */
function WaitingWork({ id }: { readonly id: string }) {
  const { data, error, refresh } = useQuery(WaitingStepsDocument, { id });
  useRefreshOn(useNewest(ClaimableCountDocument, { id }).value, refresh);
  useRefreshOn(useNewest(JobChangesDocument, { filter: { statuses: ['QUEUED'] } }).value, refresh);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={3} />;
  const { nodes, totalCount } = data.value.claimableSteps;
  if (nodes.length === 0) return <Empty>No step waits for a device.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Step</th>
          <th scope="col">Can it claim it now?</th>
          <th scope="col" class="right wide">
            Waits
          </th>
        </tr>
      </thead>
      <tbody>
        {nodes.map((step) => (
          <tr key={step.id}>
            <th scope="row" class="breaks">
              <a href={`/jobs/${step.job.id}`}>
                {step.job.name} <span class="muted">· {step.name}</span>
              </a>
            </th>
            <td class="breaks">
              {step.whyNot.length === 0
                ? 'yes'
                : step.whyNot.map(({ requirement, explanation }) => (
                    <p class="muted" key={requirement}>
                      {explanation}
                    </p>
                  ))}
            </td>
            <td class="right wide">
              <Took from={step.queuedAt} to={null} />
            </td>
          </tr>
        ))}
        {totalCount > nodes.length && (
          <tr>
            <td colSpan={3} class="muted">
              and {totalCount - nodes.length} more
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function Attempts({ id, changes }: { readonly id: string; readonly changes: ReadonlySignal<unknown> }) {
  const { query } = useLocation();
  const { data, error, refresh } = useQuery(DeviceAttemptsDocument, { id, after: query.after ?? null });
  useRefreshOn(changes, refresh);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={6} />;
  const attempts = data.value.device?.attempts;
  if (!attempts || attempts.nodes.length === 0) return <Empty>It has run nothing yet.</Empty>;
  return (
    <>
      <AttemptTimeline attempts={attempts.nodes} />
      <Pager shown={attempts.nodes.length} total={attempts.totalCount} pageInfo={attempts.pageInfo} />
    </>
  );
}

function NewKey({ device }: { readonly device: ShownDevice }) {
  const made = useSignal<Awaited<ReturnType<typeof makeKey>> | null>(null);
  const { name, kind, slots, labels, capabilities, project, resources } = device;
  // Registering again says everything anew: what is left out would be forgotten.
  const input = { name, kind, slots, labels, capabilities, resources, projectId: project?.id ?? null, rotateKey: true };
  return (
    <>
      <Action
        question={`Make ${name} a new key? The one it has ends in an hour.`}
        yes="Make a key"
        disabled={mayEdit() ? undefined : 'It takes the role EDITOR.'}
        run={async () => {
          made.value = await makeKey(input);
        }}
      >
        New key
      </Action>
      {made.value && (
        <Dialog
          label={`A new key for ${name}`}
          onClose={() => {
            made.value = null;
          }}
        >
          <h2>A new key for {name}</h2>
          <StartCommand {...made.value} />
        </Dialog>
      )}
    </>
  );
}
