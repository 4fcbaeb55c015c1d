/** Who changed keys, projects, devices and applications, and who deleted jobs and files. */
import { useLocation } from 'preact-iso';
import { Id } from '../../components/copy.tsx';
import { addressWith, Pager } from '../../components/pager.tsx';
import { Denied, Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { wordOf } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { type AuditAction, AuditTrailDocument, type AuditTrailQuery } from '../../generated.ts';
import { useQuery } from '../../streams/query.ts';
import { viewer } from '../../streams/viewer.ts';

const actions: Readonly<Record<AuditAction, string>> = {
  APPLICATION_CREATED: 'Application created',
  APPLICATION_CHANGED: 'Application changed',
  APPLICATION_DELETED: 'Application deleted',
  DEVICE_REGISTERED: 'Device registered',
  DEVICE_CHANGED: 'Device changed',
  DEVICE_DELETED: 'Device deleted',
  COMMAND_RUN: 'Command run in a step',
  FRAGMENT_DELETED: 'File deleted',
  HTTP_OPENED: 'HTTP port opened',
  JOB_DELETED: 'Job deleted',
  KEY_CREATED: 'Key created',
  KEY_CHANGED: 'Key changed',
  KEY_ROTATED: 'Key rotated',
  KEY_REVOKED: 'Key revoked',
  PORT_FORWARDED: 'Port forwarded',
  PROJECT_CREATED: 'Project created',
  PROJECT_CHANGED: 'Project changed',
  PROJECT_DELETED: 'Project deleted',
};

const isAction = (text: string): text is AuditAction => Object.hasOwn(actions, text);

export function AuditTab() {
  const { query, route } = useLocation();
  const action = query.action !== undefined && isAction(query.action) ? query.action : null;
  const mayRead = viewer.value?.role === 'ADMIN';
  const { data, error, refresh } = useQuery(
    AuditTrailDocument,
    mayRead ? { filter: action === null ? null : { actions: [action] }, after: query.after ?? null } : null,
  );
  if (viewer.value && !mayRead) return <Denied takes="ADMIN">The audit trail</Denied>;
  const trail = data.value?.auditLog;
  return (
    <>
      <div class="filters">
        <label>
          Action{' '}
          <select value={action ?? ''} onChange={(event) => route(addressWith({ action: event.currentTarget.value || null, after: null }))}>
            <option value="">all</option>
            {Object.entries(actions).map(([name, words]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button type="button" onClick={refresh}>
          Read again
        </button>
      </div>
      {error.value && <Problem error={error.value} onRetry={refresh} />}
      {!trail && !error.value && <Skeleton rows={8} />}
      {trail?.nodes.length === 0 && <Empty>Nothing of this kind happened.</Empty>}
      {trail && trail.nodes.length > 0 && (
        <>
          <Trail entries={trail.nodes} />
          <Pager shown={trail.nodes.length} total={trail.totalCount} pageInfo={trail.pageInfo} />
        </>
      )}
    </>
  );
}

function Trail({ entries }: { readonly entries: AuditTrailQuery['auditLog']['nodes'] }) {
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Which</th>
            <th scope="col" class="wide">
              Changes
            </th>
            <th scope="col" class="wide">
              By
            </th>
            <th scope="col" class="wide">
              Request
            </th>
            <th scope="col" class="right">
              When
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ id, action, subjectId, subjectName, subjectType, changes, actor, requestId, project, at }) => (
            <tr key={id}>
              <th scope="row">{actions[action] ?? wordOf(action)}</th>
              <td class="breaks">
                <Subject id={subjectId} type={subjectType} name={subjectName} />
                {project && subjectType !== 'PROJECT' && <span class="faint wide"> in {project.name}</span>}
              </td>
              <td class="wide breaks changes">{describe(changes)}</td>
              <td class="wide mono">{actor}</td>
              <td class="wide">{requestId && <Id id={requestId} />}</td>
              <td class="right">
                <Ago at={at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const places: Readonly<Record<string, string>> = { DEVICE: 'devices', APPLICATION: 'applications', JOB: 'jobs' };

function Subject({ id, type, name }: { readonly id: string; readonly type: string; readonly name: string }) {
  const place = places[type];
  return place === undefined ? <span>{name}</span> : <a href={`/${place}/${id}`}>{name}</a>;
}

/** `slots: 1 → 2`. Values that may be secret or long are not recorded: then the name alone. */
function describe(changes: Readonly<Record<string, unknown>>) {
  return Object.entries(changes).map(([field, change]) => {
    const { from, to } = (typeof change === 'object' && change !== null ? change : {}) as { from?: unknown; to?: unknown }; // AuditEntry.changes
    const values = to === undefined ? '' : from === undefined ? ` ${show(to)}` : ` ${show(from)} → ${show(to)}`;
    return (
      <span class="change" key={field}>
        <span class="muted">{field}</span>
        {values}
      </span>
    );
  });
}

/** Without the members that say nothing. */
const show = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value, (_, inner: unknown) => inner ?? undefined) ?? 'none');
