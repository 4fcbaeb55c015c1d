/** A line as a terminal shows it: colours and weights, and nothing else of what a program sent. */
import Anser from 'anser';
import type { ComponentChildren } from 'preact';
import { withoutEscapes } from '../../text/escapes.ts';
import { lastWrite, shownLine } from '../../text/lines.ts';
import type { Line } from './line-cache.ts';

/** A row shows this many characters. The raw log has the rest. */
const SHOWN_CHARACTERS = 10_000;

const ESC = String.fromCharCode(0x1b);
/** Colours and weights (SGR): the escape sequences that are kept. */
const STYLE = new RegExp(`(${ESC}\\[[\\d;:]*m)`);
/** Control characters except tab, and those that turn the direction of what follows. */
const INVISIBLE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** The elements of one line. React-like rendering escapes all text, so none of it is HTML. */
export function showLine({ text: raw, more: cut }: Line): ComponentChildren {
  const written = lastWrite(raw);
  const text = written.length > SHOWN_CHARACTERS ? written.slice(0, SHOWN_CHARACTERS) : written;
  const more = written.length - text.length + cut;
  return (
    <>
      {text.includes(ESC) ? colour(text) : showCharacters(text)}
      {more > 0 && <em class="more"> … {more.toLocaleString('en')} more characters</em>}
    </>
  );
}

/** The line without escape sequences. */
export const plainLine = (raw: string): string => showCharacters(shownLine(raw));

const showCharacters = (text: string): string => text.replace(INVISIBLE, (character) => (character === '\t' ? character : '\ufffd'));

function colour(text: string): ComponentChildren {
  const spans = Anser.ansiToJson(keepStyles(text), { remove_empty: true, use_classes: true });
  return spans.map(({ content, fg, bg, fg_truecolor, bg_truecolor, decorations }, index) => {
    const shown = showCharacters(content);
    const style: { color?: string; backgroundColor?: string } = {};
    const classes: string[] = decorations.map((name) => `ansi-${name}`);
    const put = (name: 'color' | 'backgroundColor', value: string | null, trueColour: string | null, prefix: string) => {
      if (value === null) return;
      if (value === 'ansi-truecolor') style[name] = `rgb(${trueColour ?? '128, 128, 128'})`;
      else if (value.startsWith('ansi-palette-')) style[name] = paletteColour(Number(value.slice('ansi-palette-'.length)));
      else classes.push(prefix + value);
    };
    put('color', fg, fg_truecolor, '');
    put('backgroundColor', bg, bg_truecolor, 'bg-');
    return classes.length > 0 || Object.keys(style).length > 0 ? (
      <span key={index} class={classes.join(' ')} style={style}>
        {shown}
      </span>
    ) : (
      shown
    );
  });
}

/** Split at what is captured, the text has its styles at the odd places. */
const keepStyles = (text: string): string =>
  text
    .split(STYLE)
    .map((part, index) => (index % 2 === 1 ? part : withoutEscapes(part)))
    .join('');

/** The 256 colours of xterm from 16 on: a cube of six steps each, then greys. */
function paletteColour(index: number): string {
  if (index >= 232)
    return `rgb(${Array(3)
      .fill(8 + (index - 232) * 10)
      .join(', ')})`;
  const cube = index - 16;
  const step = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  return `rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(step).join(', ')})`;
}
