/** The devices and how much of them is in use. */
import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Status } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { formatCount, plural } from '../../format/numbers.ts';
import { type DeviceStatus, DevicesOfHomeDocument } from '../../generated.ts';
import { useQuery, useRefresh } from '../../streams/query.ts';
import type { VersionedProps } from './home.tsx';
import { Level } from './level.tsx';

const SHOWN_DEVICES = 8;
const statuses: readonly DeviceStatus[] = ['ONLINE', 'DRAINING', 'OFFLINE'];

export function DevicesPanel({ version }: VersionedProps) {
  const read = useQuery(DevicesOfHomeDocument, {});
  useRefresh(read, version);
  const devices = read.data.value?.devices.nodes;
  const sorted = devices?.toSorted(
    (a, b) => statuses.indexOf(a.status) - statuses.indexOf(b.status) || b.runningAttempts.length - a.runningAttempts.length,
  );
  const words = statuses.flatMap((status) => {
    const count = devices?.filter((device) => device.status === status).length ?? 0;
    return count > 0 ? [`${formatCount(count)} ${status.toLowerCase()}`] : [];
  });
  return (
    <Panel title="Devices" columns={4} aside={<a href="/devices">{words.join(', ')}</a>}>
      {read.error.value ? (
        <Problem error={read.error.value} onRetry={read.refresh} />
      ) : !sorted ? (
        <Skeleton />
      ) : sorted.length === 0 ? (
        <Empty>
          <p>No device has registered: nothing can run.</p>
          <p>
            <a href="/devices">Add a device</a>
          </p>
        </Empty>
      ) : (
        <table class="home-table">
          <thead>
            <tr>
              <th scope="col">
                <span class="unseen">Name</span>
              </th>
              <th scope="col" class="used">
                <span class="unseen">Slots in use</span>
              </th>
              <th scope="col" class="load">
                <span class="unseen">Load</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, SHOWN_DEVICES).map(({ id, name, status, slots, lastSeenAt, runningAttempts: { length: used } }) => (
              <tr key={id}>
                <th scope="row">
                  <Status status={status}>
                    <a href={`/devices/${id}`} class="ellipsis" title={name}>
                      {name}
                    </a>
                  </Status>
                </th>
                <td class="muted">
                  {status === 'OFFLINE' ? (
                    <>seen {lastSeenAt ? <Ago at={lastSeenAt} /> : 'never'}</>
                  ) : (
                    `${formatCount(used)} of ${plural(slots, 'slot')}`
                  )}
                </td>
                <td>
                  <Level share={used / slots} label={`${used} of ${plural(slots, 'slot')} in use`} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
