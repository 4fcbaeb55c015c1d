/**
 * The fields of a device that are given, made from the table in domain/steps/device-fields.ts, for
 * the three types of the schema that have them.
 */
import type { InputFieldsFromShape } from '@pothos/core';
import { allDeviceFields, type ChangedDeviceFields, type NewDeviceFields } from '../domain/steps/device-fields.ts';
import type { DeviceRow } from '../store/schema/tables.ts';
import type { SchemaTypes } from './core/builder.ts';
import { DeviceKind } from './core/enums.ts';
import { Label, LabelInput } from './core/labels.ts';
import { IN_ITS_ROW } from './core/sizes.ts';
import { DeviceCapabilities, DeviceCapabilitiesInput } from './device-capabilities.ts';
import { Resources, ResourcesInput } from './jobs/resources.ts';

/** The types of each kind: as it is shown, and as it is given. */
const types = {
  text: { shown: 'String', given: 'String' },
  int: { shown: 'Int', given: 'Int' },
  flag: { shown: 'Boolean', given: 'Boolean' },
  role: { shown: DeviceKind, given: DeviceKind },
  labels: { shown: [Label], given: [LabelInput] },
  resources: { shown: Resources, given: ResourcesInput },
  capabilities: { shown: DeviceCapabilities, given: DeviceCapabilitiesInput },
} as const;
/** Kinds with a default that can be written in the schema. */
const plain = new Set(['text', 'int', 'flag', 'role']);

/** Of the type Device. */
export function shownDeviceFields(t: PothosSchemaTypes.ObjectFieldBuilder<SchemaTypes, DeviceRow>) {
  const fields = allDeviceFields.flatMap(([name, { kind, byDefault, shown: description }]) => {
    if (description === undefined) return [];
    const size = kind === 'labels' ? { size: IN_ITS_ROW } : {};
    return [[name, t.expose(name as never, { type: types[kind].shown, nullable: byDefault === null, description, ...size } as never)]]; // the column of this name has this kind
  });
  return Object.fromEntries(fields);
}

type InputBuilder = PothosSchemaTypes.InputFieldBuilder<SchemaTypes, 'InputObject'>;

/** Of RegisterDeviceInput. */
export function newDeviceInput(t: InputBuilder): InputFieldsFromShape<SchemaTypes, NewDeviceFields, 'InputObject'> {
  const fields = allDeviceFields.flatMap(([name, { kind, byDefault, register: description }]) => {
    if (description === undefined) return [];
    const required = byDefault === undefined || (byDefault !== null && plain.has(kind));
    const given = required && byDefault !== undefined ? { defaultValue: byDefault } : {};
    return [[name, t.field({ type: types[kind].given, required, description, ...given } as never)]]; // the default is of the kind
  });
  return Object.fromEntries(fields); // one entry for each row that registerDevice takes
}

/** Of UpdateDeviceInput. */
export function changedDeviceInput(t: InputBuilder): InputFieldsFromShape<SchemaTypes, ChangedDeviceFields, 'InputObject'> {
  const fields = allDeviceFields.flatMap(([name, { kind, update: description }]) =>
    description === undefined ? [] : [[name, t.field({ type: types[kind].given, description } as never)]],
  ); // as above
  return Object.fromEntries(fields); // one entry for each row that updateDevice takes
}
