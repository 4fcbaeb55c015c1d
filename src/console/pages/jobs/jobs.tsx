/** All jobs: found by words, labels and status, compared, cancelled and tried again. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { mapOfCounts, StatusCounts } from '../../components/status-counts.tsx';
import { setTitle } from '../../components/title.ts';
import { byWeight } from '../../format/metric-names.ts';
import { plural } from '../../format/numbers.ts';
import { CountsOfJobsDocument, type JobFilter, MetricNamesOfJobsDocument } from '../../generated.ts';
import { useNewest } from '../../streams/live.ts';
import { useQuery } from '../../streams/query.ts';
import { Columns } from './columns.tsx';
import { withIds } from './completion.ts';
import { JobsSource } from './jobs-source.ts';
import { JobsTable } from './jobs-table.tsx';
import { Chips, SearchField } from './search-field.tsx';
import { SelectedJobs } from './selected-jobs.tsx';
import { filterOf, isFiltered, type JobsView, leftOut, namesIn, readView, toggleStatus, withoutFilter, writeView } from './view.ts';
import './jobs.css';

export function JobsPage() {
  const { url, route } = useLocation();
  const view = useMemo(() => readView(new URL(url, location.origin).searchParams), [url]);
  const round = useSignal(0);
  const filter = filterOf(view);
  const { statuses: _, ...ofAnyStatus } = filter;
  const counts = useNewest(CountsOfJobsDocument, { filter: ofAnyStatus }).value.value;
  const byStatus = counts && mapOfCounts(counts);
  const counted = sumOf(byStatus, view);
  const listKey = JSON.stringify([filter, view.order, round.value]);
  const readList = useSignal<string | null>(null);
  const names = useMetricNames(filter, readList.value === listKey, counted);
  const metrics = view.metrics ?? names.slice(0, 1);
  const ignored = useMemo(() => leftOut(new URL(url, location.origin).searchParams), [url]);
  useEffect(() => setTitle('Jobs'), []);
  useEffect(() => {
    if (namesIn(view).length === 0) return;
    const stop = new AbortController();
    const resolve = async () => {
      const found = await withIds(view, stop.signal).catch(() => view);
      if (!stop.signal.aborted && found !== view) route(writeView(found), true);
    };
    void resolve();
    return () => stop.abort();
  }, [url]);
  const go = (next: JobsView, isTyping = false) => route(writeView(next), isTyping);
  return (
    <div class="jobs-page">
      <div class="jobs-head">
        <h1>Jobs</h1>
        <SearchField view={view} onChange={go} />
        <Columns names={names} chosen={metrics} onChoose={(chosen) => go({ ...view, metrics: chosen })} />
      </div>
      <Chips view={view} />
      {ignored.length > 0 && (
        <p class="muted" role="status">
          Left out of the filter, because it means nothing here: {ignored.join(', ')}
        </p>
      )}
      <StatusCounts counts={byStatus} chosen={view.statuses} linkOf={(status) => writeView(toggleStatus(view, status))} />
      <JobsList
        // Another list is another component: its rows are never those of the last one.
        key={listKey}
        view={view}
        metrics={metrics}
        counted={counted}
        onView={go}
        onRead={() => {
          readList.value = listKey;
        }}
        onRestart={() => {
          round.value += 1;
        }}
      />
    </div>
  );
}

function sumOf(byStatus: ReadonlyMap<string, number> | undefined, { statuses }: JobsView): number | undefined {
  if (!byStatus) return undefined;
  return [...byStatus].reduce(
    (sum, [status, count]) => sum + (statuses.length === 0 || statuses.some((one) => one === status) ? count : 0),
    0,
  );
}

/**
 * Of the newest jobs of the filter, read after its rows, which come first. Until any has metrics,
 * they are read again when jobs come.
 */
function useMetricNames(filter: JobFilter, isListRead: boolean, counted: number | undefined): readonly string[] {
  const { data, refresh } = useQuery(MetricNamesOfJobsDocument, isListRead ? { filter } : null);
  // Those of the last list stay meanwhile, so that the columns do not jump.
  const last = useRef<readonly string[]>([]);
  if (data.value) last.current = byWeight(new Set(data.value.jobs.nodes.flatMap(({ metricNames }) => metricNames)));
  useEffect(() => {
    if (last.current.length === 0) refresh();
  }, [counted]);
  return last.current;
}

interface JobsListProps {
  readonly view: JobsView;
  readonly metrics: readonly string[];
  readonly counted: number | undefined;
  onView(view: JobsView): void;
  /** The first rows are there. */
  onRead(): void;
  onRestart(): void;
}

/** The rows of one filter and order. */
function JobsList({ view, metrics, counted, onView, onRead, onRestart }: JobsListProps) {
  const source = useMemo(() => new JobsSource(filterOf(view), view.order), []);
  useEffect(() => source.start(), [source]);
  const isRead = source.isRead.value;
  useEffect(() => {
    if (isRead) onRead();
  }, [isRead]);
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const { ids, hasMore } = source.rows;
  // What left the list is not selected any more.
  const selected = useMemo(() => {
    const listed = new Set(ids.value);
    return new Set([...chosen.value].filter((id) => listed.has(id)));
  }, [chosen.value, ids.value]);
  const select = (next: ReadonlySet<string>) => {
    chosen.value = next;
  };
  const total = hasMore.value ? counted : ids.value.length;
  return (
    <>
      <div class="jobs-tools">
        {selected.size > 0 ? (
          <SelectedJobs jobs={[...selected].flatMap((id) => source.rows.get(id) ?? [])} onClear={() => select(new Set())} />
        ) : (
          <>
            <span class="muted">{isRead && total !== undefined && plural(total, 'job')}</span>
            {isFiltered(view) && (
              <span class="links">
                <a href={writeView(withoutFilter(view))}>Show all</a>
              </span>
            )}
          </>
        )}
      </div>
      <JobsTable
        source={source}
        view={view}
        metrics={metrics}
        counted={counted}
        selected={selected}
        onSelect={select}
        onOrder={(order) => onView({ ...view, order })}
        onRestart={onRestart}
      />
    </>
  );
}
