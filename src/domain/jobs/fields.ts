/**
 * The fields of a job that clients give, and that are stored and shown as given.
 *
 * One row declares everything about a field. CreateJobInput, UpdateJobInput and the type Job take
 * it from here (schema/jobs/fields.ts), and so do the checks, the new row and updateJob. Besides, a
 * field needs a column (store/schema/jobs.ts) and a right to read it (access/fields.ts).
 */
import type { Optional } from '../../store/optional.ts';
import type { JobRow } from '../../store/schema/tables.ts';
import { type Checks, labelsOf } from '../core/checks.ts';
import type { Label } from '../core/vocabulary.ts';

/** The type of the values of each kind. */
interface Kinds {
  readonly text: string;
  readonly int: number;
  readonly float: number;
  readonly flag: boolean;
  readonly labels: readonly Label[];
}

interface FieldOf<K extends keyof Kinds> {
  readonly kind: K;
  /** The value if none is given. Null: no value. Left out: createJob requires the field. */
  readonly byDefault?: Kinds[K] | null;
  /** A method, so that one loop can call those of all kinds. */
  check?(checks: Checks, path: readonly string[], value: Optional<Kinds[K]>): void;
  /** Part of what the job runs with: fixed once a step has been claimed. */
  readonly isConfiguration?: true;
  /**
   * The descriptions in the schema. An input without a description here does not have the field.
   */
  readonly shown: string;
  readonly create?: string;
  readonly update?: string;
}
type Field = { [K in keyof Kinds]: FieldOf<K> }[keyof Kinds];

const jobFields = {
  name: {
    kind: 'text',
    check: (checks, path, value) => checks.name(path, value),
    shown: 'Its name. Not unique.',
    create: 'Its name: at most 200 characters.',
    update: 'Its new name.',
  },
  description: {
    kind: 'text',
    byDefault: null,
    check: (checks, path, value) => checks.text(path, value),
    shown: 'A description, if given.',
    create: 'A description.',
    update: 'A description.',
  },
  statusMessage: {
    kind: 'text',
    byDefault: null,
    check: (checks, path, value) => checks.text(path, value),
    shown: 'What its steps last reported they are doing, for people: `epoch 3 of 10`. Null: nothing yet.',
    update: 'What it is doing, for people.',
  },
  priority: {
    kind: 'int',
    byDefault: 0,
    check: (checks, path, value) => checks.range(path, value, -1_000_000, 1_000_000),
    shown: 'Steps with a higher priority are claimed first. Default 0.',
    create: 'Steps with a higher priority are claimed first.',
    update: 'Its new priority. It applies to its queued steps too.',
  },
  isPreemptible: {
    kind: 'flag',
    byDefault: false,
    shown: 'Whether its steps may be evicted for more urgent work.',
    create: 'Whether its steps may be evicted for more urgent work.',
  },
  scheduleTimeoutSeconds: {
    kind: 'float',
    byDefault: null,
    check: (checks, path, value) => checks.seconds(path, value),
    shown: 'How long it may stay QUEUED, in seconds, before it fails with SCHEDULE_TIMEOUT. Null: no limit.',
    create: 'How long it may stay QUEUED, in seconds, before it fails with SCHEDULE_TIMEOUT. Default: no limit.',
  },
  runTimeoutSeconds: {
    kind: 'float',
    byDefault: null,
    check: (checks, path, value) => checks.seconds(path, value),
    shown:
      'How long it may run, in seconds from its first claim, before it fails with RUN_TIMEOUT. Its devices are then told to stop ' +
      'and have 30 seconds to submit their results. Null: no limit.',
    create: 'How long it may run, in seconds from its first claim, before it fails with RUN_TIMEOUT. Default: no limit.',
  },
  datasetId: {
    kind: 'text',
    byDefault: null,
    check: (checks, path, value) => checks.text(path, value, checks.limits.textAtMost),
    isConfiguration: true,
    shown: 'The dataset that it uses, as an external system names it.',
    create: 'The dataset that it uses, as an external system names it.',
    update: 'The dataset that it uses. Only before its first step is claimed.',
  },
  datasetVersionId: {
    kind: 'text',
    byDefault: null,
    check: (checks, path, value) => checks.text(path, value, checks.limits.textAtMost),
    isConfiguration: true,
    shown: 'The version of that dataset.',
    create: 'The version of that dataset.',
    update: 'The version of that dataset. Only before its first step is claimed.',
  },
  labels: {
    kind: 'labels',
    byDefault: [],
    check: (checks, path, value) => checks.labels(path, value),
    shown: 'Its labels, to find it by.',
    create: 'Its labels, to find it by.',
    update: 'Replaces all its labels.',
  },
} as const satisfies Readonly<Record<string, Field>>;

type JobFields = typeof jobFields;
export type JobFieldName = keyof JobFields;
type Named<Shape> = { [N in JobFieldName]: JobFields[N] extends Shape ? N : never }[JobFieldName];
type Value<N extends JobFieldName> = Kinds[JobFields[N]['kind']];
type Required = Exclude<Named<{ create: string }>, Named<{ byDefault: unknown }>>;

/** The fields in createJob. */
export type NewJobFields = { [N in Required]: Value<N> } & { [N in Exclude<Named<{ create: string }>, Required>]?: Optional<Value<N>> };
/** The fields in updateJob. Null leaves a field as it is. */
export type ChangedJobFields = { [N in Named<{ update: string }>]?: Optional<Value<N>> };

/** The rows of the table with their names, in order. */
export const allJobFields = Object.entries(jobFields) as readonly (readonly [JobFieldName, Field])[]; // its own keys and values

/** The stored value: for labels, only key and value. */
const kept = (kind: Field['kind'], value: unknown): unknown => (kind === 'labels' ? labelsOf(value as readonly Label[]) : value); // of its kind

export function checkJobFields(checks: Checks, input: ChangedJobFields | NewJobFields): void {
  for (const [name, { check }] of allJobFields) check?.(checks, [name], givenIn(input, name) as never); // of the row's own kind
}

/** The fields of a new job. */
export function newJobFields(input: NewJobFields): Pick<JobRow, JobFieldName> {
  const entries = allJobFields.map(([name, { kind, byDefault, create }]) => [
    name,
    kept(kind, (create === undefined ? null : givenIn(input, name)) ?? byDefault),
  ]);
  return Object.fromEntries(entries) as Pick<JobRow, JobFieldName>; // one entry for each row of the table
}

/** The fields that an input changes. */
export function changedJobFields(job: JobRow, input: ChangedJobFields): Partial<Pick<JobRow, JobFieldName>> {
  const changed = allJobFields.flatMap(([name, { kind, update }]) => {
    const given = givenIn(input, name);
    if (update === undefined || given === undefined || given === null) return [];
    const value = kept(kind, given);
    return JSON.stringify(value) === JSON.stringify(job[name]) ? [] : [[name, value] as const];
  });
  return Object.fromEntries(changed);
}

/** Whether an input changes something that the job runs with. */
export const touchesConfiguration = (input: ChangedJobFields): boolean =>
  allJobFields.some(([name, { isConfiguration }]) => isConfiguration === true && givenIn(input, name) != null);

/** The value of a field in an input. The type of the input says which fields it can have. */
const givenIn = (input: object, name: JobFieldName): unknown => (input as Partial<Record<JobFieldName, unknown>>)[name];
