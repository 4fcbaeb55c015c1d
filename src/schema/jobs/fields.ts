/**
 * The fields of a job that its creator gives, made from the table in domain/jobs/fields.ts, for the
 * three types of the schema that have them.
 */
import type { InputFieldsFromShape } from '@pothos/core';
import { allJobFields, type ChangedJobFields, type NewJobFields } from '../../domain/jobs/fields.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { SchemaTypes } from '../core/builder.ts';
import { Label, LabelInput } from '../core/labels.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';

const scalars = { text: 'String', int: 'Int', float: 'Float', flag: 'Boolean' } as const;

/** Of the type Job. */
export function shownJobFields(t: PothosSchemaTypes.ObjectFieldBuilder<SchemaTypes, ShownJob>) {
  const fields = allJobFields.map(([name, { kind, byDefault, shown: description }]) => [
    name,
    kind === 'labels'
      ? t.expose('labels', { type: [Label], size: IN_ITS_ROW, description })
      : t.expose(name as never, { type: scalars[kind], nullable: byDefault === null, description }), // the column of this name has this kind
  ]);
  return Object.fromEntries(fields);
}

type InputBuilder = PothosSchemaTypes.InputFieldBuilder<SchemaTypes, 'InputObject'>;

/** Of CreateJobInput. */
export function newJobInput(t: InputBuilder): InputFieldsFromShape<SchemaTypes, NewJobFields, 'InputObject'> {
  const fields = allJobFields.flatMap(([name, { kind, byDefault, create: description }]) => {
    if (description === undefined) return [];
    if (kind === 'labels') return [[name, t.field({ type: [LabelInput], description })]];
    const hasToBe = byDefault !== null;
    const given = byDefault === undefined || byDefault === null ? {} : { defaultValue: byDefault };
    return [[name, t.field({ type: scalars[kind], required: hasToBe, description, ...given } as never)]]; // the default is of the kind
  });
  return Object.fromEntries(fields); // one entry for each row that createJob takes
}

/** Of UpdateJobInput. */
export function changedJobInput(t: InputBuilder): InputFieldsFromShape<SchemaTypes, ChangedJobFields, 'InputObject'> {
  const fields = allJobFields.flatMap(([name, { kind, update: description }]) => {
    if (description === undefined) return [];
    return [[name, t.field({ type: kind === 'labels' ? [LabelInput] : scalars[kind], description })]];
  });
  return Object.fromEntries(fields); // one entry for each row that updateJob takes
}
