/**
 * The log of one attempt: only the rows on the screen exist, and only what was looked at is read.
 *
 * The rows lie in a box that sticks to the top of the scrolled window, so that no element is ever
 * moved by millions of pixels.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { Empty, Problem } from '../components/panel.tsx';
import { formatCount } from '../format/numbers.ts';
import { formatClock } from '../format/time.ts';
import { plainLine, showLine } from './ansi.tsx';
import type { LogSource, Match } from './log-source.ts';
import { rowsOffset, scrollTopOf, shownRows, spacerPixels, type View } from './virtual-rows.ts';

const ROW_PIXELS = 20;
/** Scrolling rests this long before what is missing is read. */
const REST_MS = 60;
/** The window is this share of the screen at most. A shorter log is shown whole. */
const SCREEN_SHARE = 0.6;
const LOWEST_WINDOW = 240;
const windowHeight = () => Math.round(Math.max(LOWEST_WINDOW, innerHeight * SCREEN_SHARE));
/** Lines read beyond the window. */
const AROUND = 60;

export interface LogOptions {
  readonly wraps: boolean;
  readonly showsTime: boolean;
  readonly follows: boolean;
}

interface LogViewProps {
  readonly source: LogSource;
  readonly options: LogOptions;
  onFollow(follows: boolean): void;
  /** The chosen lines: a link to them is in the address. */
  readonly chosen: readonly [from: number, to: number] | null;
  onChoose(from: number, to: number): void;
  /** The address of a line. */
  linkOf(line: number): string;
  readonly matches: readonly Match[];
  readonly match: number | null;
}

export function LogView({ source, options, onFollow, chosen, onChoose, linkOf, matches, match }: LogViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const scrollTop = useSignal(0);
  const windowPixels = useSignal(windowHeight());
  const newest = useSignal(0);
  const version = source.version.value;
  const count = source.cache.total;
  const view: View = { count, rowPixels: ROW_PIXELS, windowPixels: windowPixels.value };
  const { first, end, shift } = shownRows(view, scrollTop.value);
  const hits = useMemo(() => new Set(matches.map(({ line }) => line)), [matches]);

  useEffect(() => {
    const onResize = () => {
      windowPixels.value = windowHeight();
    };
    addEventListener('resize', onResize);
    return () => removeEventListener('resize', onResize);
  }, [windowPixels]);

  const goTo = (line: number) => {
    const element = box.current;
    if (!element) return;
    onFollow(false);
    element.scrollTop = scrollTopOf(view, (line - 1) * ROW_PIXELS - windowPixels.peek() / 3);
    scrollTop.value = element.scrollTop;
  };

  // At the end, the newest line stays in view while it follows.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !options.follows) return;
    element.scrollTop = element.scrollHeight;
    scrollTop.value = element.scrollTop;
    newest.value = count;
  }, [version, options.follows, windowPixels.value, options.wraps]);

  // What is missing in view is read once the scrolling rests.
  useEffect(() => {
    if (count === 0 || source.cache.firstMissing(first + 1, end) === null) return;
    const timer = setTimeout(() => void source.read(first + 1 - AROUND, end + AROUND), REST_MS);
    return () => clearTimeout(timer);
  }, [source, first, end, count, version]);

  const isPlaced = useRef(false);
  useLayoutEffect(() => {
    if (isPlaced.current || count === 0 || chosen === null) return;
    isPlaced.current = true;
    goTo(chosen[0]);
  }, [count, chosen]);
  useEffect(() => {
    if (match !== null) goTo(match);
  }, [match]);

  const onScroll = (event: Event) => {
    const element = event.currentTarget as HTMLDivElement; // the box
    const isUp = element.scrollTop < scrollTop.peek() - 1;
    scrollTop.value = element.scrollTop;
    const isAtEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 2;
    if (isUp && options.follows && !isAtEnd) onFollow(false);
    if (isAtEnd) newest.value = count;
  };

  const choose = (event: MouseEvent, line: number) => {
    event.preventDefault();
    if (event.shiftKey && chosen) onChoose(Math.min(chosen[0], line), Math.max(chosen[0], line));
    else onChoose(line, line);
  };

  if (source.error.value) return <Problem error={source.error.value} />;
  if (source.isEmpty.value) return <Empty>Nothing was written yet.</Empty>;
  const behind = count - newest.value;
  // A log that fits is shown as it is. Wrapped lines may make it higher than its rows.
  const isShort = count * ROW_PIXELS <= windowPixels.value;
  const isAtEnd = rowsOffset(view, scrollTop.value) >= count * ROW_PIXELS - windowPixels.value - 1;
  const rows = Array.from({ length: isShort ? count : end - first }, (_, index) => {
    const number = (isShort ? 0 : first) + index + 1;
    const line = source.cache.get(number);
    const isChosen = chosen !== null && number >= chosen[0] && number <= chosen[1];
    const classes = ['ln', line?.stream.toLowerCase(), isChosen && 'chosen', hits.has(number) && 'hit', match === number && 'at'];
    return (
      <div key={number} class={classes.filter(Boolean).join(' ')}>
        <a href={linkOf(number)} class="no" onClick={(event) => choose(event, number)} aria-label={`Line ${number}`}>
          {formatCount(number)}
        </a>
        {options.showsTime && <time class="time">{line ? formatClock(line.at) : ''}</time>}
        <pre>{line ? showLine(line) : '…'}</pre>
      </div>
    );
  });
  return (
    <div class="log-box">
      <div
        ref={box}
        class={options.wraps ? 'log-scroll wraps' : 'log-scroll'}
        style={{ maxHeight: `${windowPixels.value}px` }}
        onScroll={onScroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
      >
        {isShort ? (
          <div class="log-rows">{rows}</div>
        ) : (
          <div class="log-spacer" style={{ height: `${spacerPixels(view)}px` }}>
            <div class="log-window" style={{ height: `${windowPixels.value}px` }}>
              <div class={isAtEnd ? 'log-rows at-end' : 'log-rows'} style={{ transform: isAtEnd ? '' : `translateY(${-shift}px)` }}>
                {rows}
              </div>
            </div>
          </div>
        )}
      </div>
      {!options.follows && behind > 0 && (
        <button type="button" class="pill" onClick={() => onFollow(true)}>
          ↓ {formatCount(behind)} new {behind === 1 ? 'line' : 'lines'}
        </button>
      )}
    </div>
  );
}

/** The text of these lines, as far as they are held. */
export const copyLines = (source: LogSource, [from, to]: readonly [number, number]): string =>
  Array.from({ length: to - from + 1 }, (_, index) => plainLine(source.cache.get(from + index)?.text ?? '')).join('\n');
