/** One field for everything: pages, jobs, devices, and commands. */
import { signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { PaletteDocument } from '../generated.ts';
import { useQuery } from '../streams/query.ts';
import { signOut } from '../streams/session.ts';
import { Dialog } from './dialog.tsx';
import { Status } from './status.tsx';
import { toggleTheme } from './theme.ts';

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

const commands = [
  ['Change between light and dark', toggleTheme],
  ['Sign out', () => void signOut()],
] as const;

/** What was found: it leads to a page, or it is done at once. */
interface Found {
  readonly key: string;
  readonly kind: 'page' | 'job' | 'device' | 'command';
  readonly shown: ComponentChildren;
  go(): void;
}

const MOST_FOUND = 20;

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
  const close = () => {
    isOpen.value = false;
  };
  const words = typed.trim().toLowerCase().split(/\s+/);
  const isLike = (name: string) => words.every((word) => name.toLowerCase().includes(word));
  const open = (path: string) => (path === '/graphql' ? location.assign(path) : route(path));
  const found: readonly Found[] = [
    ...pages
      .filter(([, name]) => isLike(name))
      .map(([path, name]) => ({ key: path, kind: 'page', shown: <span>{name}</span>, go: () => open(path) }) as const),
    ...commands
      .filter(([name]) => typed !== '' && isLike(name))
      .map(([name, go]) => ({ key: name, kind: 'command', shown: <span>{name}</span>, go }) as const),
    ...(data.value?.jobs.nodes ?? []).map(
      ({ id, name, status }) =>
        ({ key: id, kind: 'job', shown: <Status status={status}>{name}</Status>, go: () => open(`/jobs/${id}`) }) as const,
    ),
    ...(data.value?.devices.nodes ?? [])
      .filter(({ name }) => isLike(name))
      .map(
        ({ id, name, status }) =>
          ({ key: id, kind: 'device', shown: <Status status={status}>{name}</Status>, go: () => open(`/devices/${id}`) }) as const,
      ),
  ].slice(0, MOST_FOUND);
  const go = (one: Found) => {
    close();
    one.go();
  };
  const chosen = Math.min(at.value, found.length - 1);
  return (
    <Dialog label="Search" class="palette" onClose={close}>
      <input
        type="text"
        placeholder="Search pages, jobs, devices, commands"
        aria-label="Search pages, jobs, devices, commands"
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
          else if (event.key === 'Enter' && found[chosen]) go(found[chosen]);
          else return;
          event.preventDefault();
        }}
      />
      <div id="palette-list" role="listbox" aria-label="Found">
        {found.map((one, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
          <div
            key={one.key}
            class="found"
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onClick={() => go(one)}
          >
            {one.shown}
            <span class="faint">{one.kind}</span>
          </div>
        ))}
        {found.length === 0 && <p class="found muted">Nothing is called like that.</p>}
      </div>
    </Dialog>
  );
}
