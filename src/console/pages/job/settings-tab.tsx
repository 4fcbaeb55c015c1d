/** What the job was given, and where each setting came from. */
import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { wordOf } from '../../components/status.tsx';
import { JobSettingsDocument } from '../../generated.ts';
import { useQuery } from '../../streams/query.ts';
import type { LiveJob } from './job.tsx';

export function SettingsTab({ job }: { readonly job: LiveJob }) {
  const { data, error, refresh } = useQuery(JobSettingsDocument, { id: job.id });
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value?.job) return <Skeleton rows={6} />;
  const { settings, settingsSources, settingsWarnings, items, output, container } = data.value.job;
  const rows = flatten(settings);
  const hasContainer = container !== null && (container.image ?? container.command ?? container.entrypoint) !== null;
  if (rows.length === 0 && items.length === 0 && !output && !hasContainer)
    return <Empty>The job was given no settings and no items.</Empty>;
  return (
    <div class="grid below-tabs">
      {settingsWarnings.length > 0 && (
        <Panel title="Warnings">
          <ul class="warnings">
            {settingsWarnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Panel>
      )}
      {rows.length > 0 && (
        <Panel title="Settings" columns={6}>
          <Table rows={rows.map(([path, value]) => [path, show(value), sourceOf(settingsSources, path)])} />
        </Panel>
      )}
      {items.length > 0 && (
        <Panel title="Items" columns={6}>
          <Table rows={items.map(({ name, label, value, source }) => [label ?? name, value, source])} />
        </Panel>
      )}
      {hasContainer && (
        <Panel title="Container" columns={6}>
          <Table rows={Object.entries(container).flatMap(([name, value]) => (value === null ? [] : [[name, value, '']]))} />
        </Panel>
      )}
      {output && (
        <Panel title="Output" columns={6}>
          <pre class="json">{JSON.stringify(output, null, 2)}</pre>
        </Panel>
      )}
    </div>
  );
}

function Table({ rows }: { readonly rows: readonly (readonly [name: string, value: string, source: string])[] }) {
  return (
    <table>
      <tbody>
        {rows.map(([name, value, source]) => (
          <tr key={name}>
            <td class="mono">{name}</td>
            <td class="mono breaks">{value}</td>
            <td class="muted right">{source && wordOf(source).toLowerCase()}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** `{"optimizer": {"lr": 0.1}}` as `optimizer.lr`. */
function flatten(settings: Readonly<Record<string, unknown>>, prefix = ''): [path: string, value: unknown][] {
  return Object.entries(settings).flatMap(([name, value]) => {
    const path = prefix + name;
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
    return isGroup ? flatten(value as Record<string, unknown>, `${path}.`) : [[path, value] as [string, unknown]]; // JSON's objects
  });
}

const show = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function sourceOf(sources: Readonly<Record<string, unknown>>, path: string): string {
  const direct = sources[path];
  if (typeof direct === 'string') return direct;
  let at: unknown = sources;
  for (const part of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined; // JSON's objects
  return typeof at === 'string' ? at : '';
}
