import type { Label as LabelShape } from '../../domain/core/vocabulary.ts';
import { builder } from './builder.ts';

export const Label = builder.objectRef<LabelShape>('Label').implement({
  description: 'A key and a value on a job or a device. Labels are used to find jobs and to match steps to devices.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'The key, unique within one job or device.' }),
    value: t.exposeString('value', { description: 'The value. It may be empty.' }),
  }),
});

export const LabelInput = builder.inputType('LabelInput', {
  description: 'A label to set or to search for.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'The key: at most 200 characters, unique within the list.' }),
    value: t.string({ required: true, description: 'The value: at most 200 characters. Matching is exact and case-sensitive.' }),
  }),
});
