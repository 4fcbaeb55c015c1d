/** The keys: who may use the gateway, and as what. */
import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import { unwrap } from '../../../client/errors.ts';
import { Action } from '../../components/action.tsx';
import { Command } from '../../components/copy.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { addressWith, Pager } from '../../components/pager.tsx';
import { Denied, Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { wordOf } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { formatExact } from '../../format/time.ts';
import { type KeyRowFieldsFragment, KeyTableDocument, type PrincipalKind, RevokeKeyDocument, RotateKeyDocument } from '../../generated.ts';
import { now } from '../../streams/clock.ts';
import { gateway } from '../../streams/gateway.ts';
import { useQuery } from '../../streams/query.ts';
import { mayEdit, viewer } from '../../streams/viewer.ts';
import { NewKey } from './new-key.tsx';

/** A secret that is on the screen now. */
interface Shown {
  readonly name: string;
  readonly secret: string;
}

const kinds: readonly PrincipalKind[] = ['USER', 'DEVICE', 'WATCH', 'JOB'];
/** Each job has one of its own: they are many, and end with it. */
const usualKinds: readonly PrincipalKind[] = ['USER', 'DEVICE', 'WATCH'];

export function KeysTab() {
  const { query, route } = useLocation();
  const kind = kinds.find((one) => one === query.kind);
  const showsEnded = query.ended === 'yes';
  const { data, error, refresh } = useQuery(
    KeyTableDocument,
    mayEdit() ? { isLive: showsEnded ? null : true, kinds: kind ? [kind] : usualKinds, after: query.after ?? null } : null,
  );
  const isCreating = useSignal(false);
  const shown = useSignal<Shown | null>(null);
  if (viewer.value && !mayEdit()) return <Denied takes="ADMIN">The list of keys</Denied>;
  const keys = data.value?.apiKeys;
  return (
    <>
      <div class="filters">
        <label>
          Kind{' '}
          <select value={kind ?? ''} onChange={(event) => route(addressWith({ kind: event.currentTarget.value || null, after: null }))}>
            <option value="">all but those of jobs</option>
            {kinds.map((one) => (
              <option key={one} value={one}>
                {wordOf(one).toLowerCase()}
              </option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={showsEnded}
            onChange={(event) => route(addressWith({ ended: event.currentTarget.checked ? 'yes' : null, after: null }))}
          />{' '}
          with those that ended
        </label>
        <span class="grow" />
        <button
          type="button"
          class="main"
          onClick={() => {
            isCreating.value = true;
          }}
        >
          New key
        </button>
      </div>
      {viewer.value?.role === 'EDITOR' && <p class="muted">An EDITOR sees the keys of jobs, and the links that share one.</p>}
      {error.value && <Problem error={error.value} onRetry={refresh} />}
      {!keys && !error.value && <Skeleton rows={6} />}
      {keys?.nodes.length === 0 && <Empty>There is no such key.</Empty>}
      {keys && keys.nodes.length > 0 && (
        <>
          <Table
            keys={keys.nodes}
            onChanged={refresh}
            onSecret={(secret) => {
              shown.value = secret;
              refresh();
            }}
          />
          <Pager shown={keys.nodes.length} total={keys.totalCount} pageInfo={keys.pageInfo} />
        </>
      )}
      {isCreating.value && (
        <NewKey
          onClose={() => {
            isCreating.value = false;
            refresh();
          }}
        />
      )}
      {shown.value && (
        <Dialog
          label={`The key ${shown.value.name}`}
          onClose={() => {
            shown.value = null;
          }}
        >
          <h2>{shown.value.name}</h2>
          <p>The new key. It is not shown again. The old one works for another hour.</p>
          <Command>{shown.value.secret}</Command>
        </Dialog>
      )}
    </>
  );
}

interface TableProps {
  readonly keys: readonly KeyRowFieldsFragment[];
  onChanged(): void;
  onSecret(shown: Shown): void;
}

function Table({ keys, onChanged, onSecret }: TableProps) {
  return (
    <div class="scrolls">
      <table class="api-keys">
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col">For</th>
            <th scope="col" class="wide">
              Begins with
            </th>
            <th scope="col" class="wide">
              Created
            </th>
            <th scope="col" class="wide">
              Last used
            </th>
            <th scope="col">Ends</th>
            <th scope="col" class="right">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <th scope="row">{key.name}</th>
              <td class="muted">
                <Holder of={key} />
              </td>
              <td class="wide mono">{key.hint}…</td>
              <td class="wide">
                <Ago at={key.createdAt} /> <span class="faint">by {key.createdBy}</span>
              </td>
              <td class="wide">
                <Ago at={key.lastUsedAt} />
              </td>
              <td>
                <Ends of={key} />
              </td>
              <td class="right tight">{key.state === 'LIVE' && <KeyActions of={key} onChanged={onChanged} onSecret={onSecret} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the key is for, and what of. */
function Holder({ of: { kind, role, project, device, job } }: { readonly of: KeyRowFieldsFragment }) {
  if (device) return <a href={`/devices/${device.id}`}>device {device.name}</a>;
  if (job)
    return (
      <a href={`/jobs/${job.id}`}>
        {kind === 'WATCH' ? 'link to ' : 'job '}
        {job.name}
      </a>
    );
  return (
    <>
      {role ?? wordOf(kind).toLowerCase()} {project ? `of ${project.name}` : role ? 'of all projects' : ''}
    </>
  );
}

function Ends({ of: { state, expiresAt, revokedAt, replacedBy } }: { readonly of: KeyRowFieldsFragment }) {
  if (state === 'REVOKED')
    return (
      <span class="muted">
        revoked <Ago at={revokedAt} />
      </span>
    );
  if (expiresAt === null) return <span class="faint">never</span>;
  return (
    <time dateTime={expiresAt} class="muted" title={formatExact(expiresAt)}>
      {state === 'EXPIRED' ? 'expired' : inTime(expiresAt, now.value)}
      {replacedBy && ' · replaced'}
    </time>
  );
}

/** `in 3 h`: what is left of it. */
function inTime(at: string, since: number): string {
  const minutes = Math.max(0, Math.round((Date.parse(at) - since) / 60_000));
  if (minutes < 60) return `in ${minutes} min`;
  return minutes < 2_880 ? `in ${Math.round(minutes / 60)} h` : `in ${Math.round(minutes / 1_440)} d`;
}

interface KeyActionsProps {
  readonly of: KeyRowFieldsFragment;
  onChanged(): void;
  onSecret(shown: Shown): void;
}

function KeyActions({ of: { id, name, kind, replacedBy }, onChanged, onSecret }: KeyActionsProps) {
  const rotate = async () => {
    const { secret } = unwrap((await gateway.request(RotateKeyDocument, { input: { apiKeyId: id } })).rotateApiKey);
    onSecret({ name, secret });
  };
  const revoke = async () => {
    unwrap((await gateway.request(RevokeKeyDocument, { input: { apiKeyId: id } })).revokeApiKey);
    onChanged();
  };
  return (
    <span class="row">
      {(kind === 'USER' || kind === 'DEVICE') && replacedBy === null && (
        <Action run={rotate} question={`Replace ${name}?`} yes="Rotate it">
          Rotate
        </Action>
      )}
      <Action run={revoke} isDangerous question={`Revoke ${name}?`} yes="Revoke it">
        Revoke
      </Action>
    </span>
  );
}
