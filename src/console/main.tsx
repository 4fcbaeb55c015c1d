/** Starts the console: signs in, then shows the page of the address. */
import './theme.css';
import { render } from 'preact';
import { applyTheme } from './components/theme.ts';
import { Console } from './console.tsx';
import { openPage } from './streams/session.ts';

applyTheme();
const root = document.getElementById('root');
if (root) render(<Console />, root);
await openPage();
