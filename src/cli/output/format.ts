/** A duration as people write it: 4.2s, 3m 05s, 2h 10m, 3d 04h. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d ${two(Math.floor((whole % 86_400) / 3600))}h`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** The time between two instants, or until now. Empty if it has not begun. */
export function formatSpan(from: string | null, to: string | null, now = Date.now()): string {
  if (from === null) return '';
  return formatSeconds(Math.max(0, (to === null ? now : Date.parse(to)) - Date.parse(from)) / 1000);
}

/** How long ago, roughly. */
export function formatAge(at: string | null, now = Date.now()): string {
  return at === null ? '' : `${formatSpan(at, null, now)} ago`;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes in decimal units. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '';
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

/** The state of a Git repository: the short commit, the branch, and whether the files differ. */
export function describeGit({
  commit,
  branch,
  isDirty,
}: {
  readonly commit: string | null;
  readonly branch: string | null;
  readonly isDirty: boolean;
}): string {
  const short = commit?.slice(0, 12) ?? 'not cloned yet';
  return `git ${short}${branch === null ? '' : ` on ${branch}`}${isDirty ? ', with changes' : ''}`;
}

/** A metric's value in few digits. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
}

/** Labels as on the command line. */
export function formatLabels(labels: readonly { readonly key: string; readonly value: string }[]): string {
  return labels.map((label) => (label.value === '' ? label.key : `${label.key}=${label.value}`)).join(' ');
}
