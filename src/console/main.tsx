/** Starts the console: signs in, then shows the page of the address. */
import './theme.css';
import { render } from 'preact';
import { applyTheme } from './components/theme.ts';
import { Console } from './console.tsx';
import { openPage } from './streams/session.ts';

applyTheme();
// The router decodes the path, and throws where it is malformed.
const path = location.pathname.split('/').map(wellFormed).join('/');
if (path !== location.pathname) history.replaceState(null, '', path + location.search + location.hash);
const root = document.getElementById('root');
if (root) render(<Console />, root);
await openPage();

function wellFormed(part: string): string {
  try {
    decodeURIComponent(part);
    return part;
  } catch {
    return encodeURIComponent(part);
  }
}
