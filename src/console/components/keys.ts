/** The keyboard: one place for all of the console's keys. */
import { signal } from '@preact/signals';
import { openPalette } from './palette.tsx';
import { toggleTheme } from './theme.ts';

export const helpIsOpen = signal(false);

/** What a page's own keys do, while it is shown: `x`, `j`, `k`, `c`, `f`, `.`, `[` and `]`. */
const ofPage = new Map<string, () => void>();

/** Adds keys of the page that is shown. Returns what takes them back. */
export function addKeys(keys: Readonly<Record<string, () => void>>): () => void {
  for (const [key, act] of Object.entries(keys)) ofPage.set(key, act);
  return () => {
    for (const [key, act] of Object.entries(keys)) if (ofPage.get(key) === act) ofPage.delete(key);
  };
}

export const keyNames: readonly (readonly [keys: string, what: string])[] = [
  ['g h', 'Home'],
  ['g j', 'Jobs'],
  ['g c', 'Compare'],
  ['g d', 'Devices'],
  ['g s', 'Settings'],
  ['/', 'Search'],
  ['Ctrl-K', 'Search pages, jobs and devices'],
  ['j k', 'Next and previous row'],
  ['Enter o', 'Open the row'],
  ['x', 'Select the row'],
  ['J K', 'Select the row, and go on to the next or previous one'],
  ['c', 'Compare what is selected'],
  ['f', 'Follow the log'],
  ['[ ]', 'Previous and next step'],
  ['.', 'Cancel the job (asks first)'],
  ['t', 'Light or dark'],
  ['?', 'These keys'],
];

const places: Readonly<Record<string, string>> = {
  h: '/',
  j: '/jobs',
  c: '/compare',
  d: '/devices',
  e: '/experiments',
  m: '/models',
  a: '/applications',
  s: '/settings',
};

/** How long `g` waits for the second key. */
const PAIR_MS = 1_000;

export function listenToKeys(): () => void {
  let leaderAt = Number.NEGATIVE_INFINITY;
  const onKey = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      openPalette();
      return;
    }
    // A dialog has the keyboard to itself.
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return;
    const place = event.timeStamp - leaderAt < PAIR_MS ? places[event.key] : undefined;
    leaderAt = Number.NEGATIVE_INFINITY;
    if (place !== undefined) {
      // preact-iso's router follows links.
      document.querySelector<HTMLAnchorElement>(`.nav a[href="${place}"]`)?.click();
      return;
    }
    const own = ofPage.get(event.key);
    if (own) {
      event.preventDefault();
      own();
      return;
    }
    if (event.key === 'g') leaderAt = event.timeStamp;
    else if (event.key === '/') {
      event.preventDefault();
      openPalette();
    } else if (event.key === 't') toggleTheme();
    else if (event.key === '?') helpIsOpen.value = true;
  };
  addEventListener('keydown', onKey);
  return () => removeEventListener('keydown', onKey);
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && target.type === 'checkbox');
