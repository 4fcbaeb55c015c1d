/** What compared jobs share, and where they differ. */

interface Compared {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: readonly { readonly name: string }[];
  readonly owner: string;
  readonly application: { readonly name: string } | null;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
}

export interface SettingRow {
  /** A dot path. */
  readonly name: string;
  /** One a job. Undefined: the job does not have it. */
  readonly values: readonly (string | undefined)[];
  readonly differs: boolean;
}

/** The rows that differ come first. */
export function compareSettings(jobs: readonly Compared[]): SettingRow[] {
  const flat = jobs.map((job) => {
    const values = new Map<string, string>();
    flatten(job.settings, '', values);
    for (const { key, value } of job.labels) values.set(`label ${key}`, value);
    values.set('owner', job.owner);
    if (job.application) values.set('application', job.application.name);
    return values;
  });
  const names = [...new Set(flat.flatMap((values) => [...values.keys()]))].sort();
  const rows = names.map((name) => {
    const values = flat.map((one) => one.get(name));
    return { name, values, differs: new Set(values).size > 1 };
  });
  return [...rows.filter(({ differs }) => differs), ...rows.filter(({ differs }) => !differs)];
}

function flatten(value: unknown, path: string, into: Map<string, string>): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [key, part] of Object.entries(value)) flatten(part, path === '' ? key : `${path}.${key}`, into);
  else into.set(path, typeof value === 'string' ? value : JSON.stringify(value));
}

/** The metrics that most of the jobs have come first. */
export function sharedMetrics(jobs: readonly Pick<Compared, 'metrics'>[]): string[] {
  const counts = new Map<string, number>();
  for (const { metrics } of jobs) for (const { name } of metrics) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, many], [b, few]) => few - many || a.localeCompare(b)).map(([name]) => name);
}
