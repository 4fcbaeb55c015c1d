/** What stands around every page: the bar with its navigation, the search, the connection. */
import type { ComponentChildren } from 'preact';
import { useLocation } from 'preact-iso';
import { signOut } from '../streams/session.ts';
import { viewer } from '../streams/viewer.ts';
import { LiveDot } from './live-dot.tsx';
import { openPalette } from './palette.tsx';
import { toggleTheme } from './theme.ts';

const places = [
  ['/', 'Home'],
  ['/jobs', 'Jobs'],
  ['/compare', 'Compare'],
  ['/devices', 'Devices'],
  ['/experiments', 'Experiments'],
  ['/models', 'Models'],
  ['/applications', 'Applications'],
  ['/settings', 'Settings'],
] as const;

/** Whether the path is this place's page, or one below it. */
const isAt = (path: string, place: string): boolean => path === place || (place !== '/' && path.startsWith(`${place}/`));

export function Shell({ children }: { readonly children: ComponentChildren }) {
  const { path } = useLocation();
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="bar">
        <a class="brand" href="/">
          Trainyard
          {viewer.value?.project && <small>{viewer.value.project.name}</small>}
        </a>
        <details class="menu">
          <summary aria-label="Menu">☰</summary>
          <Places path={path} />
        </details>
        <Places path={path} />
        <button type="button" class="search" onClick={() => openPalette()}>
          <span>Search or jump …</span>
          <kbd>/</kbd>
        </button>
        <LiveDot />
        <button type="button" class="plain" onClick={toggleTheme} aria-label="Change between light and dark" title="Theme (t)">
          ◐
        </button>
        <button type="button" class="plain wide" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <main id="main">{children}</main>
    </>
  );
}

function Places({ path }: { readonly path: string }) {
  return (
    <nav class="nav" aria-label="Pages">
      {places.map(([place, name]) => (
        <a key={place} href={place} aria-current={isAt(path, place) ? 'page' : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}

/** Around the one job of a watch link, whose key may see no other page. */
export function WatchShell({ children }: { readonly children: ComponentChildren }) {
  return (
    <>
      <header class="bar">
        <span class="brand">
          Trainyard <small>shared job</small>
        </span>
        <span class="grow" />
        <LiveDot />
        <button type="button" class="plain" onClick={toggleTheme} aria-label="Change between light and dark">
          ◐
        </button>
      </header>
      <main id="main">{children}</main>
    </>
  );
}
