/** What the gateway is, and the limits that it keeps to. */
import { Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Ago } from '../../components/time.tsx';
import { formatBytes, formatCount } from '../../format/numbers.ts';
import { formatDuration } from '../../format/time.ts';
import { GatewayLimitsDocument } from '../../generated.ts';
import { useQuery } from '../../streams/query.ts';

export function LimitsTab() {
  const { data, error, refresh } = useQuery(GatewayLimitsDocument, {});
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={8} />;
  const { version, store, startedAt, limits } = data.value.gateway;
  const entries = Object.entries(limits).sort(([one], [other]) => one.localeCompare(other));
  return (
    <div class="grid">
      <Panel title="Gateway" columns={4}>
        <dl class="pairs">
          <dt>Version</dt>
          <dd class="mono">{version}</dd>
          <dt>Store</dt>
          <dd class="mono">{store}</dd>
          <dt>Started</dt>
          <dd>
            <Ago at={startedAt} />
          </dd>
        </dl>
      </Panel>
      <Panel title="Limits" columns={8}>
        <table>
          <thead>
            <tr>
              <th scope="col">Limit</th>
              <th scope="col" class="right">
                Value
              </th>
              <th scope="col" class="right wide">
                <span class="unseen">Rounded</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {entries.map(([name, value]) => (
              <tr key={name}>
                <th scope="row" class="mono breaks">
                  {name}
                </th>
                <td class="right mono">{typeof value === 'number' ? formatCount(value) : JSON.stringify(value)}</td>
                <td class="right muted wide">{typeof value === 'number' && asPeopleSay(name, value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Panel>
    </div>
  );
}

/** Large sizes and long times in a larger unit. The names say which they are. */
function asPeopleSay(name: string, value: number): string {
  if (/bytes/i.test(name) && value >= 1_000) return formatBytes(value);
  if (/seconds/i.test(name) && value >= 60) return formatDuration(value);
  return '';
}
