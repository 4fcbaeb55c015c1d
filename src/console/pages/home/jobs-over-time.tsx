/** How many jobs were created in each of the last hours or days, by how they ended. */
import { useLocation } from 'preact-iso';
import { Problem, Skeleton } from '../../components/panel.tsx';
import { mapOfCounts } from '../../components/status-counts.tsx';
import { formatCount, plural } from '../../format/numbers.ts';
import { CountsOfBarsDocument, type CountsOfBarsQueryVariables, type JobFilter } from '../../generated.ts';
import { now } from '../../streams/clock.ts';
import { useQuery, useRefresh } from '../../streams/query.ts';
import type { VersionedProps } from './home.tsx';

const HOUR_MS = 3_600_000;
/** Each bar is a count of its own: they are read again less often than the rest of the page. */
const PAUSE_MS = 5_000;

/** The bars of one request: it may have 15 aliases. */
const AT_ONCE = 12;

interface Bar {
  readonly from: Date;
  readonly to: Date;
}

/** The last hours or days, each from its beginning, in the viewer's time zone. */
function barsUntil(at: number, unit: 'hour' | 'day'): readonly Bar[] {
  const count = unit === 'hour' ? 24 : 14;
  return Array.from({ length: count }, (_, index) => {
    const startOf = (ago: number) => {
      const date = new Date(unit === 'hour' ? at - ago * HOUR_MS : at);
      if (unit === 'hour') date.setMinutes(0, 0, 0);
      else {
        date.setHours(0, 0, 0, 0);
        // Days are not all as long.
        date.setDate(date.getDate() - ago);
      }
      return date;
    };
    const ago = count - 1 - index;
    return { from: startOf(ago), to: startOf(ago - 1) };
  });
}

/** The filter excludes both of its times. */
const filterOf = ({ from, to }: Bar): JobFilter => ({
  createdAfter: new Date(from.getTime() - 1).toISOString(),
  createdBefore: to.toISOString(),
});

const variablesOf = (bars: readonly Bar[]) =>
  Object.fromEntries(
    Array.from({ length: AT_ONCE }, (_, index) => {
      const bar = bars[index];
      return [`b${index}`, bar ? filterOf(bar) : { statuses: [] }];
    }),
  ) as CountsOfBarsQueryVariables; // b0 to b11, as the document has them

/** Of what a bar is made, from the bottom. */
const parts = [
  ['SUCCEEDED', 'b-ok', 'succeeded'],
  ['FAILED', 'b-bad', 'failed'],
  ['CANCELLED', 'b-idle', 'cancelled'],
] as const;

const hours = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const days = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' });

export function JobsOverTime({ version }: VersionedProps) {
  const { query } = useLocation();
  const unit = query.over === 'days' ? 'day' : 'hour';
  // The next hour begins: then there are other bars.
  const bars = barsUntil(Math.floor(now.value / HOUR_MS) * HOUR_MS, unit);
  const halves = [bars.slice(0, AT_ONCE), bars.slice(AT_ONCE)].map((half) => {
    const read = useQuery(CountsOfBarsDocument, variablesOf(half));
    useRefresh(read, version, PAUSE_MS);
    return read;
  });
  const error = halves.find((read) => read.error.value);
  if (error?.error.value) return <Problem error={error.error.value} onRetry={error.refresh} />;
  if (halves.some((read) => !read.data.value)) return <Skeleton rows={4} />;
  const counts = halves.flatMap((read) => Object.values(read.data.value ?? {}).map(mapOfCounts));
  const heights = bars.map((_, index) => [...(counts[index]?.values() ?? [])].reduce((sum, count) => sum + count, 0));
  const highest = Math.max(1, ...heights);
  const format = unit === 'hour' ? hours : days;
  return (
    <figure class="over-time">
      <figcaption>
        <span class="muted">Jobs created by {unit}</span>
        <span class="links">{unit === 'hour' ? <a href="/?over=days">two weeks</a> : <a href="/">24 hours</a>}</span>
        <span class="faint">most: {formatCount(highest)}</span>
      </figcaption>
      <div class="bars">
        {bars.map((bar, index) => {
          const total = heights[index] ?? 0;
          const of = (status: string) => counts[index]?.get(status) ?? 0;
          const ended = parts.reduce((sum, [status]) => sum + of(status), 0);
          const words = parts.filter(([status]) => of(status) > 0).map(([status, , word]) => `${formatCount(of(status))} ${word}`);
          const label = [`${format.format(bar.from)}: ${plural(total, 'job')}`, ...words].join(', ');
          const { createdAfter, createdBefore } = filterOf(bar);
          return (
            <a key={index} href={`/jobs?after=${createdAfter}&before=${createdBefore}`} aria-label={label} title={label}>
              <Part className="b-run" share={(total - ended) / highest} />
              {[...parts].reverse().map(([status, className]) => (
                <Part key={status} className={className} share={of(status) / highest} />
              ))}
            </a>
          );
        })}
      </div>
      <div class="ticks faint" aria-hidden="true">
        {bars.map(({ from }, index) => (
          <span key={index}>{index % (unit === 'hour' ? 6 : 4) === 0 ? format.format(from) : ''}</span>
        ))}
      </div>
    </figure>
  );
}

function Part({ className, share }: { readonly className: string; readonly share: number }) {
  return share > 0 ? <i class={className} style={{ height: `${share * 100}%` }} /> : null;
}
