/** The machines that run steps: how they stand, what they run, and a way to add one. */
import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import { Action } from '../components/action.tsx';
import { DeviceActions } from '../components/device-actions.tsx';
import { HeldSteps, Slots } from '../components/held-steps.tsx';
import { NewDevice } from '../components/new-device.tsx';
import { Pager } from '../components/pager.tsx';
import { Empty, Problem, Skeleton } from '../components/panel.tsx';
import { useRowKeys } from '../components/row-keys.ts';
import { Status, wordOf } from '../components/status.tsx';
import { Ago } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { DeviceChangesDocument, type DeviceRowFieldsFragment, DeviceTableDocument, JobChangesDocument } from '../generated.ts';
import { useNewest } from '../streams/live.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';
import { mayEdit } from '../streams/viewer.ts';

export function DevicesPage() {
  setTitle('Devices');
  const { query } = useLocation();
  const { data, error, refresh } = useQuery(DeviceTableDocument, { after: query.after ?? null });
  useRefreshOn(useNewest(DeviceChangesDocument, {}).value, refresh);
  // What a device claims and ends is a change of a job.
  useRefreshOn(useNewest(JobChangesDocument, { filter: null }).value, refresh);
  const isAdding = useSignal(false);
  const devices = data.value?.devices;
  return (
    <>
      <div class="head">
        <div>
          <h1>Devices</h1>
        </div>
        <div class="actions">
          <Action
            isMain
            run={async () => {
              isAdding.value = true;
            }}
            disabled={mayEdit() ? undefined : 'It takes the role EDITOR.'}
          >
            Add a device
          </Action>
        </div>
      </div>
      {error.value && <Problem error={error.value} onRetry={refresh} />}
      {!devices && !error.value && <Skeleton rows={4} />}
      {devices?.nodes.length === 0 && <Empty>No machine runs steps yet. Add a device: it takes one command.</Empty>}
      {devices && devices.nodes.length > 0 && (
        <>
          <Table devices={devices.nodes} onChanged={refresh} />
          <Pager shown={devices.nodes.length} total={devices.totalCount} pageInfo={devices.pageInfo} />
        </>
      )}
      {isAdding.value && (
        <NewDevice
          names={devices?.nodes.map(({ name }) => name) ?? []}
          onClose={() => {
            isAdding.value = false;
            refresh();
          }}
        />
      )}
    </>
  );
}

function Table({ devices, onChanged }: { readonly devices: readonly DeviceRowFieldsFragment[]; onChanged(): void }) {
  const chosen = useRowKeys(devices.map(({ id }) => `/devices/${id}`));
  return (
    <div class="scrolls">
      <table class="devices">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col" class="wide">
              Kind
            </th>
            <th scope="col" class="wide">
              Labels
            </th>
            <th scope="col">Slots</th>
            <th scope="col">Runs now</th>
            <th scope="col" class="wide right">
              Last seen
            </th>
            <th scope="col" class="wide right">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device, index) => (
            <tr key={device.id} aria-selected={chosen.value === index}>
              <th scope="row">
                <a href={`/devices/${device.id}`}>
                  <Status status={device.status}>
                    <span class="ellipsis title">{device.name}</span>
                  </Status>
                </a>
              </th>
              <td class="wide muted">
                {wordOf(device.kind).toLowerCase()}
                {device.project && <span class="faint"> · {device.project.name}</span>}
              </td>
              <td class="wide">
                <span class="row">
                  {device.labels.map(({ key, value }) => (
                    <span class="label" key={key}>
                      {key}={value}
                    </span>
                  ))}
                </span>
              </td>
              <td>
                <Slots used={device.runningAttempts.length} all={device.slots} />
              </td>
              <td>
                <HeldSteps attempts={device.runningAttempts} />
              </td>
              <td class="wide right">
                <Ago at={device.lastSeenAt} />
              </td>
              <td class="wide right tight">
                <DeviceActions device={device} onChanged={onChanged} onDeleted={onChanged} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
