/** A line as a terminal shows it: colours and weights, and nothing else of what a program sent. */
import Anser from 'anser';
import type { ComponentChildren } from 'preact';

/** A row shows this many characters. The raw log has the rest. */
const SHOWN_CHARACTERS = 10_000;

/** Every escape sequence except colours and weights (SGR). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is searched for
const OTHER_SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-ln-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-Z\\-~](?<!\[))/g;
/** Invisible characters, and those that turn the direction of what follows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is searched for
const INVISIBLE = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** What stands in a line after its last carriage return: progress bars overwrite their line. */
export function lastWrite(line: string): string {
  let end = line.length;
  while (line[end - 1] === '\r') end -= 1;
  return line.slice(end === 0 ? 0 : line.lastIndexOf('\r', end - 1) + 1, end);
}

/** The elements of one line. React-like rendering escapes all text, so none of it is HTML. */
export function showLine(raw: string): ComponentChildren {
  const written = lastWrite(raw);
  const text = written.length > SHOWN_CHARACTERS ? written.slice(0, SHOWN_CHARACTERS) : written;
  const more = written.length - text.length;
  return (
    <>
      {text.includes('\u001b') ? colour(text) : text.replace(INVISIBLE, '\ufffd')}
      {more > 0 && <em class="more"> … {more.toLocaleString('en')} more characters</em>}
    </>
  );
}

/** The line without escape sequences. */
export const plainLine = (raw: string): string => Anser.ansiToText(lastWrite(raw).replace(OTHER_SEQUENCES, '')).replace(INVISIBLE, '');

function colour(text: string): ComponentChildren {
  const spans = Anser.ansiToJson(text.replace(OTHER_SEQUENCES, ''), { remove_empty: true, use_classes: true });
  return spans.map(({ content, fg, bg, fg_truecolor, bg_truecolor, decorations }, index) => {
    const shown = content.replace(INVISIBLE, '\ufffd').replaceAll('\u001b', '\ufffd');
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
    // biome-ignore lint/suspicious/noArrayIndexKey: the spans of a line have no other identity
    return classes.length > 0 || Object.keys(style).length > 0 ? <span key={index} class={classes.join(' ')} style={style}>{shown}</span> : shown;
  });
}

/** The 256 colours of xterm from 16 on: a cube of six steps each, then greys. */
function paletteColour(index: number): string {
  if (index >= 232) return `rgb(${Array(3).fill(8 + (index - 232) * 10).join(', ')})`;
  const cube = index - 16;
  const step = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  return `rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(step).join(', ')})`;
}
