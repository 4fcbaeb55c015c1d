/** Times and durations as people read them. */

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** `41s`, `12m 04s`, `1h 04m`, `3d 02h` */
export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (total < MINUTE) return `${total}s`;
  if (total < HOUR) return `${Math.floor(total / MINUTE)}m ${two(total % MINUTE)}s`;
  if (total < DAY) return `${Math.floor(total / HOUR)}h ${two((total % HOUR) / MINUTE)}m`;
  return `${Math.floor(total / DAY)}d ${two((total % DAY) / HOUR)}h`;
}

/** `just now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`, and the date from 30 days on. */
export function formatAgo(at: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(at)) / 1_000);
  if (seconds < 5) return 'just now';
  if (seconds < MINUTE) return `${seconds} s ago`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  if (seconds < 30 * DAY) return `${Math.floor(seconds / DAY)} d ago`;
  return dates.format(Date.parse(at));
}

const dates = new Intl.DateTimeFormat('en', { year: 'numeric', month: 'short', day: 'numeric' });
const clocks = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const exact = new Intl.DateTimeFormat('en', {
  ...{ year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' },
  ...{ hourCycle: 'h23', timeZoneName: 'short' },
});

/** `14:03:07`, in the viewer's time zone. */
export const formatClock = (at: string | number): string => clocks.format(typeof at === 'string' ? Date.parse(at) : at);

/** `Nov 28, 2026, 14:03:07 GMT+1` */
export const formatExact = (at: string): string => exact.format(Date.parse(at));

/** The seconds from one time to another. */
export const secondsBetween = (from: string, to: string | number): number =>
  ((typeof to === 'string' ? Date.parse(to) : to) - Date.parse(from)) / 1_000;
