/**
 * The fields of a device that it says of itself, or that an operator sets.
 *
 * One row declares everything about a field. RegisterDeviceInput, UpdateDeviceInput and the type
 * Device take it from here (schema/device-fields.ts), and so do the checks, the new row,
 * updateDevice and the audit trail. Besides, a field needs a column (store/schema/devices.ts) and a
 * right to read it (access/fields.ts).
 */
import type { Optional } from '../../store/optional.ts';
import type { DeviceRow } from '../../store/schema/tables.ts';
import { type Checks, labelsOf, noResources, type ResourcesInput, resourcesOf } from '../core/checks.ts';
import type { Capabilities, DeviceKind, Label, Resources, RunKind } from '../core/vocabulary.ts';

export interface CapabilitiesInput {
  readonly runs: readonly RunKind[];
  readonly stepNames: readonly string[];
}

/** A worker that lists step names is written for a few of them. */
const STEP_NAMES_AT_MOST = 1_000;

/** The values of each kind, as they are given and as they are stored. */
interface Kinds {
  readonly text: { given: string; stored: string };
  readonly int: { given: number; stored: number };
  readonly flag: { given: boolean; stored: boolean };
  readonly role: { given: DeviceKind; stored: DeviceKind };
  readonly labels: { given: readonly Label[]; stored: readonly Label[] };
  readonly resources: { given: ResourcesInput; stored: Resources };
  readonly capabilities: { given: CapabilitiesInput; stored: Capabilities };
}

interface FieldOf<K extends keyof Kinds> {
  readonly kind: K;
  /**
   * What is stored if none is given. Null: no value. Left out: registerDevice requires the field.
   */
  readonly byDefault?: Kinds[K]['stored'] | null;
  /** A device that registers again without it keeps what it had. Otherwise it gets the default. */
  readonly isKept?: true;
  /** A method, so that one loop can call those of all kinds. */
  check?(checks: Checks, path: readonly string[], value: Optional<Kinds[K]['given']>): void;
  /** The descriptions in the schema. A type without a description here does not have the field. */
  readonly shown?: string;
  readonly register?: string;
  readonly update?: string;
}
type Field = { [K in keyof Kinds]: FieldOf<K> }[keyof Kinds];

const deviceFields = {
  name: {
    kind: 'text',
    check: (checks, path, value) => checks.name(path, value),
    shown: 'Its name, unique within the project.',
    register: 'Its name: at most 200 characters, unique within the project.',
    update: 'Its new name.',
  },
  kind: {
    kind: 'role',
    byDefault: 'WORKER',
    isKept: true,
    shown: 'The role that it has.',
    register: 'The role that it has.',
  },
  labels: {
    kind: 'labels',
    byDefault: [],
    check: (checks, path, value) => checks.labels(path, value),
    shown: 'The labels that steps can require with requiredLabels.',
    register: 'The labels that steps can require with requiredLabels.',
    update: 'Replaces all its labels.',
  },
  resources: {
    kind: 'resources',
    byDefault: noResources,
    check: (checks, path, value) => checks.resources(path, value),
    shown: 'Its total resources, including what its current steps use.',
    register: 'What it has.',
    update: 'Replaces its resources.',
  },
  slots: {
    kind: 'int',
    byDefault: 1,
    check: (checks, path, value) => checks.range(path, value, 1, 10_000),
    shown: 'How many steps it can run at once.',
    register: 'How many steps it can run at once.',
    update: 'How many steps it can run at once.',
  },
  capabilities: {
    kind: 'capabilities',
    byDefault: null,
    check: (checks, path, value) => {
      const { runs = [], stepNames = [] } = value ?? {};
      checks.unique([...path, 'runs'], runs, 'The kind');
      checks.count([...path, 'stepNames'], stepNames, STEP_NAMES_AT_MOST);
      for (const [i, name] of stepNames.entries()) checks.name([...path, 'stepNames', i], name);
      checks.unique([...path, 'stepNames'], stepNames, 'The name');
    },
    shown: 'What it can run. Null: it did not say, and may be offered any step.',
    register: 'What it can run. Default: not stated, so it may be offered any step.',
    update: 'Replaces its capabilities.',
  },
  isDraining: {
    kind: 'flag',
    byDefault: false,
    update: 'True stops it from claiming steps. False lets it claim again.',
  },
} as const satisfies Readonly<Record<string, Field>>;

type DeviceFields = typeof deviceFields;
export type DeviceFieldName = keyof DeviceFields;
type Named<Shape> = { [N in DeviceFieldName]: DeviceFields[N] extends Shape ? N : never }[DeviceFieldName];
type Given<N extends DeviceFieldName> = Kinds[DeviceFields[N]['kind']]['given'];
type Required = Exclude<Named<{ register: string }>, Named<{ byDefault: unknown }>>;

/** The fields in registerDevice. */
export type NewDeviceFields = { [N in Required]: Given<N> } & {
  [N in Exclude<Named<{ register: string }>, Required>]?: Optional<Given<N>>;
};
/** The fields in updateDevice. Null leaves a field as it is. */
export type ChangedDeviceFields = { [N in Named<{ update: string }>]?: Optional<Given<N>> };

/** The rows of the table with their names, in order. */
export const allDeviceFields = Object.entries(deviceFields) as readonly (readonly [DeviceFieldName, Field])[]; // its own keys and values
/** For the audit trail. */
export const auditedFields = { shown: allDeviceFields.map(([name]) => name) };

/** Makes what is stored of what is given. */
const stored: { readonly [K in keyof Kinds]?: (given: Kinds[K]['given']) => Kinds[K]['stored'] } = {
  labels: labelsOf,
  resources: resourcesOf,
  // Sorted, so that sending the same values in another order changes nothing.
  capabilities: ({ runs, stepNames }) => ({ runs: [...runs].sort(), stepNames: [...stepNames].sort() }),
};

export function checkDeviceFields(checks: Checks, input: ChangedDeviceFields | NewDeviceFields): void {
  for (const [name, { check }] of allDeviceFields) check?.(checks, [name], givenIn(input, name) as never); // of the row's own kind
}

/** The fields of a device that registers; `known`: again. */
export function newDeviceFields(input: NewDeviceFields, known?: DeviceRow): Pick<DeviceRow, DeviceFieldName> {
  const entries = allDeviceFields.map(([name, field]) => {
    const given = field.register === undefined ? null : storedOf(field, givenIn(input, name));
    return [name, given ?? (field.isKept && known ? known[name] : (field.byDefault ?? null))];
  });
  return Object.fromEntries(entries) as Pick<DeviceRow, DeviceFieldName>; // one entry for each row of the table
}

/** The fields that an input gives. */
export function changedDeviceFields(input: ChangedDeviceFields): Partial<Pick<DeviceRow, DeviceFieldName>> {
  const given = allDeviceFields.flatMap(([name, field]) => {
    const value = field.update === undefined ? null : storedOf(field, givenIn(input, name));
    return value === null ? [] : [[name, value] as const];
  });
  return Object.fromEntries(given);
}

function storedOf({ kind }: Field, given: unknown): unknown {
  if (given === undefined || given === null) return null;
  return stored[kind]?.(given as never) ?? given; // of the row's own kind
}

/** The value of a field in an input. The type of the input says which fields it can have. */
const givenIn = (input: object, name: DeviceFieldName): unknown => (input as Partial<Record<DeviceFieldName, unknown>>)[name];
