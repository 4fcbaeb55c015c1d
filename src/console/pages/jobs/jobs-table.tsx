/** The list of jobs as a table. Only the rows in view exist. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { addKeys } from '../../components/keys.ts';
import { Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { isOver } from '../../components/status.tsx';
import { plural } from '../../format/numbers.ts';
import { rowsOffset, scrollTopOf, shownRows, spacerPixels, type View } from '../../log/virtual-rows.ts';
import { MetricsInView } from '../../streams/row-metrics.ts';
import { JobTableRow, UnreadRow } from './job-table-row.tsx';
import type { JobsSource } from './jobs-source.ts';
import { TableHead } from './table-head.tsx';
import { isFiltered, type JobsView, withoutFilter, writeView } from './view.ts';

/** As the stylesheet has it. */
const ROW_PIXELS = 32;
/** Rows drawn beyond the window, above and below. */
const AROUND = 10;
/** Rows read beyond the window. */
const AHEAD = 50;
/** Scrolling rests this long before the metrics in view are read. */
const REST_MS = 120;

interface JobsTableProps {
  readonly source: JobsSource;
  readonly view: JobsView;
  /** Columns. */
  readonly metrics: readonly string[];
  /** How many jobs the filter selects, as the gateway counts them. Undefined: not known yet. */
  readonly counted: number | undefined;
  readonly selected: ReadonlySet<string>;
  onSelect(selected: ReadonlySet<string>): void;
  onOrder(order: JobsView['order']): void;
  /** Reads the list again. */
  onRestart(): void;
}

export function JobsTable({ source, view, metrics, counted, selected, onSelect, onOrder, onRestart }: JobsTableProps) {
  const { rows } = source;
  const { route } = useLocation();
  const box = useRef<HTMLElement>(null);
  const scrollTop = useSignal(0);
  const windowPixels = useSignal(innerHeight);
  /** The row that the keys act on. */
  const current = useSignal<string | null>(null);
  /** Where a selection with shift begins. */
  const anchor = useRef<string | null>(null);
  const isUsed = useSignal({ pointer: false, focus: false });
  const columns = useMemo(() => new MetricsInView(metrics), [metrics.join()]);
  const ids = rows.ids.value;
  const total = rows.hasMore.value ? Math.max(ids.length + 1, (counted ?? 0) - rows.waiting.value) : ids.length;
  const shape: View = { count: total, rowPixels: ROW_PIXELS, windowPixels: windowPixels.value };
  const { first, end, shift } = shownRows(shape, scrollTop.value);
  const from = Math.max(0, first - AROUND);
  const to = Math.min(total, end + AROUND);
  const isRead = source.isRead.value;
  const isEmpty = isRead && total === 0;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => {
      windowPixels.value = element.clientHeight;
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [isRead, isEmpty, windowPixels]);

  // Rows that come or go above do not move what is in view.
  const kept = useRef<{ readonly id: string | undefined; readonly index: number }>({ id: undefined, index: 0 });
  useLayoutEffect(() => {
    const { id, index } = kept.current;
    const moved = id === undefined ? -1 : ids.indexOf(id);
    if (box.current && scrollTop.peek() > 0 && moved >= 0 && moved !== index) {
      box.current.scrollTop += (moved - index) * ROW_PIXELS;
      scrollTop.value = box.current.scrollTop;
    }
  }, [ids]);
  useLayoutEffect(() => {
    kept.current = { id: ids[first], index: first };
  });

  useEffect(() => {
    if (isRead && to + AHEAD > ids.length && !source.error.peek()) source.readMore();
  }, [source, isRead, to, ids.length]);

  useEffect(() => () => columns.end(), [columns]);
  const inView = ids.slice(first, end).flatMap((id) => {
    const row = rows.get(id);
    return row ? [{ id, isOver: isOver(row.status) }] : [];
  });
  const inViewKey = JSON.stringify(inView);
  useEffect(() => {
    if (metrics.length === 0) return;
    const timer = setTimeout(() => columns.show(inView), REST_MS);
    return () => clearTimeout(timer);
  }, [inViewKey, columns]);

  // At the top, new jobs appear by themselves while nobody is about to use a row.
  const waiting = rows.waiting.value;
  const isFree = rows.isByCreation && scrollTop.value === 0 && !isUsed.value.pointer && !isUsed.value.focus;
  useEffect(() => {
    if (waiting > 0 && isFree) rows.showWaiting();
  }, [waiting, isFree, rows]);

  const showIndex = (index: number) => {
    const element = box.current;
    if (!element) return;
    const offset = rowsOffset(shape, element.scrollTop);
    // The head covers a row of the window.
    const below = (index + 2) * ROW_PIXELS - element.clientHeight;
    const wanted = index * ROW_PIXELS < offset ? index * ROW_PIXELS : Math.max(offset, below);
    element.scrollTop = scrollTopOf(shape, wanted);
    scrollTop.value = element.scrollTop;
  };
  const goTo = (index: number) => {
    const id = ids[Math.max(0, Math.min(ids.length - 1, index))];
    if (id === undefined) return;
    current.value = id;
    showIndex(ids.indexOf(id));
  };
  const toggle = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    anchor.current = id;
    onSelect(next);
  };
  const select = (id: string, isRange: boolean) => {
    current.value = id;
    const [a, b] = [ids.indexOf(anchor.current ?? id), ids.indexOf(id)];
    if (isRange && a >= 0) onSelect(new Set([...selected, ...ids.slice(Math.min(a, b), Math.max(a, b) + 1)]));
    else toggle(id);
  };
  const at = current.value === null ? -1 : ids.indexOf(current.value);
  useEffect(() => {
    const stepAndSelect = (by: number) => {
      const id = ids[at];
      if (id !== undefined) onSelect(new Set(selected).add(id));
      goTo(at + by);
    };
    return addKeys({
      j: () => goTo(at + 1),
      k: () => goTo(at < 0 ? 0 : at - 1),
      J: () => stepAndSelect(1),
      K: () => stepAndSelect(-1),
      x: () => {
        if (current.value !== null) toggle(current.value);
      },
      o: () => {
        if (current.value !== null) route(`/jobs/${current.value}`);
      },
      c: () => {
        if (selected.size > 0) route(`/compare?jobs=${[...selected].join(',')}`);
      },
      Escape: () => onSelect(new Set()),
    });
  });
  // The link of the current row has the focus: Enter opens it, and it is read aloud.
  useLayoutEffect(() => {
    const { value } = current;
    if (value !== null) box.current?.querySelector<HTMLElement>(`a[data-job="${value}"]`)?.focus({ preventScroll: true });
  }, [current.value]);

  if (!isRead) return source.error.value ? <Problem error={source.error.value} onRetry={onRestart} /> : <Skeleton rows={12} />;
  if (isEmpty && waiting === 0) {
    return (
      <Empty>
        {isFiltered(view) ? (
          <p>
            No job matches. <a href={writeView(withoutFilter(view))}>Show all jobs</a>
          </p>
        ) : (
          <p>
            There are no jobs yet. <a href="/">Run a first one</a>
          </p>
        )}
      </Empty>
    );
  }
  const use = (change: Partial<typeof isUsed.value>) => {
    isUsed.value = { ...isUsed.peek(), ...change };
  };
  const above = scrollTopAt(scrollTop.value, shift, first - from);
  return (
    <div class="jobs-frame">
      <section
        ref={box}
        class="jobs-box"
        aria-label="Jobs"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
        tabIndex={0}
        onScroll={(event) => {
          scrollTop.value = event.currentTarget.scrollTop;
        }}
        onPointerEnter={() => use({ pointer: true })}
        onPointerLeave={() => use({ pointer: false })}
        onFocusIn={() => use({ focus: true })}
        onFocusOut={() => use({ focus: false })}
      >
        <table class="jobs-table" aria-rowcount={total + 1} style={{ '--metrics': metrics.length }}>
          <TableHead view={view} metrics={metrics} onOrder={onOrder} />
          <tbody>
            {above > 0 && <Spacer pixels={above} />}
            {Array.from({ length: to - from }, (_, offset) => {
              const index = from + offset;
              const id = ids[index];
              if (id === undefined) return <UnreadRow key={`unread ${index}`} index={index} />;
              return (
                <JobTableRow
                  key={id}
                  id={id}
                  index={index}
                  rows={rows}
                  columns={columns}
                  metrics={metrics}
                  isCurrent={id === current.value}
                  isSelected={selected.has(id)}
                  onSelect={select}
                />
              );
            })}
            <Spacer pixels={Math.min(total * ROW_PIXELS, spacerPixels(shape)) - above - (to - from) * ROW_PIXELS} />
          </tbody>
        </table>
      </section>
      {source.error.value && <Problem error={source.error.value} onRetry={() => source.readMore()} />}
      <Pill
        waiting={waiting}
        changed={rows.changed.value}
        isByCreation={rows.isByCreation}
        isOutdated={source.isOutdated.value}
        onShow={() => {
          rows.showWaiting();
          box.current?.scrollTo({ top: 0 });
        }}
        onRestart={onRestart}
      />
    </div>
  );
}

/** Where the first drawn row begins. Zero for the first rows, also by a rounding error. */
const scrollTopAt = (scrollTop: number, shift: number, rowsAbove: number): number =>
  Math.max(0, Math.round(scrollTop - shift - rowsAbove * ROW_PIXELS));

/** As high as the rows that are not drawn. */
function Spacer({ pixels }: { readonly pixels: number }) {
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row without cells takes no focus
  return pixels > 0 ? <tr aria-hidden="true" class="spacer" style={{ height: `${pixels}px` }} /> : null;
}

interface PillProps {
  readonly waiting: number;
  readonly changed: number;
  readonly isByCreation: boolean;
  readonly isOutdated: boolean;
  onShow(): void;
  onRestart(): void;
}

/** Says what the list does not show yet, and shows it when asked. */
function Pill({ waiting, changed, isByCreation, isOutdated, onShow, onRestart }: PillProps) {
  const words = isOutdated
    ? 'This list may be outdated'
    : isByCreation
      ? `${plural(waiting, 'new job')}`
      : `${plural(waiting + changed, 'job')} changed`;
  const isShown = isOutdated || waiting > 0 || (!isByCreation && changed > 0);
  return (
    <div role="status">
      {isShown && (
        <button type="button" class="pill jobs-pill" onClick={isByCreation && !isOutdated ? onShow : onRestart}>
          {words}
          {isOutdated ? ': read it again' : isByCreation ? '' : ': sort again'}
        </button>
      )}
    </div>
  );
}
