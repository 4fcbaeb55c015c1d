/** One field for everything: pages, jobs, devices. */
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { PaletteDocument } from '../generated.ts';
import { useQuery } from '../streams/query.ts';
import { Dialog } from './dialog.tsx';
import { Status } from './status.tsx';

const isOpen = signal(false);

export function openPalette(): void {
  isOpen.value = true;
}

const pages = [
  ['/', 'Home'],
  ['/jobs', 'Jobs'],
  ['/jobs?status=RUNNING', 'Running jobs'],
  ['/jobs?status=FAILED', 'Failed jobs'],
  ['/compare', 'Compare'],
  ['/devices', 'Devices'],
  ['/experiments', 'Experiments'],
  ['/models', 'Models'],
  ['/applications', 'Applications'],
  ['/settings', 'Settings'],
  ['/settings/keys', 'Keys'],
  ['/settings/audit', 'Audit trail'],
  ['/graphql', 'GraphiQL'],
] as const;

/** Typing rests this long before the gateway is asked. */
const REST_MS = 120;

export function Palette() {
  return isOpen.value ? <Opened /> : null;
}

function Opened() {
  const { route } = useLocation();
  const text = useSignal('');
  const asked = useSignal('');
  const at = useSignal(0);
  const typed = text.value;
  useEffect(() => {
    const timer = setTimeout(() => {
      asked.value = typed.trim();
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [typed, asked]);
  const { data } = useQuery(PaletteDocument, asked.value === '' ? null : { search: asked.value });
  const words = typed.trim().toLowerCase();
  const found = [
    ...pages
      .filter(([, name]) => name.toLowerCase().includes(words))
      .map(([path, name]) => ({ path, key: path, shown: <span>{name}</span>, kind: 'page' })),
    ...(data.value?.jobs.nodes ?? []).map(({ id, name, status }) => ({
      path: `/jobs/${id}`,
      key: id,
      shown: <Status status={status}>{name}</Status>,
      kind: 'job',
    })),
    ...(data.value?.devices.nodes ?? [])
      .filter(({ name }) => name.toLowerCase().includes(words))
      .map(({ id, name, status }) => ({ path: `/devices/${id}`, key: id, shown: <Status status={status}>{name}</Status>, kind: 'device' })),
  ].slice(0, 20);
  const close = () => {
    isOpen.value = false;
  };
  const go = (path: string) => {
    close();
    if (path === '/graphql') location.assign(path);
    else route(path);
  };
  const chosen = Math.min(at.value, found.length - 1);
  return (
    <Dialog label="Search" class="palette" onClose={close}>
      <input
        type="text"
        placeholder="Search pages, jobs, devices"
        aria-label="Search pages, jobs, devices"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={chosen >= 0 ? `palette-${chosen}` : undefined}
        autoFocus
        value={typed}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          at.value = 0;
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') at.value = Math.min(found.length - 1, chosen + 1);
          else if (event.key === 'ArrowUp') at.value = Math.max(0, chosen - 1);
          else if (event.key === 'Enter' && found[chosen]) go(found[chosen].path);
          else return;
          event.preventDefault();
        }}
      />
      <div id="palette-list" role="listbox" aria-label="Found">
        {found.map(({ key, path, shown, kind }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
          <div
            key={key}
            class="found"
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onClick={() => go(path)}
          >
            {shown}
            <span class="faint">{kind}</span>
          </div>
        ))}
        {found.length === 0 && <p class="found muted">Nothing is called like that.</p>}
      </div>
    </Dialog>
  );
}
