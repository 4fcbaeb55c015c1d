/**
 * The colours of curves. A canvas cannot read custom properties, so they are read for it, and again
 * when the theme changes.
 */
import { signal } from '@preact/signals';
import { CURVE_COLOURS } from './curve-colours.ts';

export interface CanvasColours {
  readonly curves: readonly string[];
  readonly text: string;
  readonly line: string;
  readonly font: string;
}

export const canvasColours = signal<CanvasColours>(readColours());

function readColours(): CanvasColours {
  // `getPropertyValue` returns the text of light-dark(). A real property is resolved.
  const probe = document.createElement('span');
  probe.hidden = true;
  document.documentElement.append(probe);
  const resolve = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const read = {
    curves: Array.from({ length: CURVE_COLOURS }, (_, index) => resolve(`--c${index + 1}`)),
    text: resolve('--muted'),
    line: resolve('--line'),
    font: `11px ${getComputedStyle(document.documentElement).fontFamily}`,
  };
  probe.remove();
  return read;
}

const readAgain = () => {
  canvasColours.value = readColours();
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readAgain);
new MutationObserver(readAgain).observe(document.documentElement, { attributeFilter: ['data-theme'] });
