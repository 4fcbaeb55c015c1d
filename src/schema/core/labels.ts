import type { Label as LabelShape } from '../../domain/core/vocabulary.ts';
import { builder } from './builder.ts';

export const Label = builder.objectRef<LabelShape>('Label').implement({
  description: 'A key and a value that people put on jobs and devices, to find and to match them by.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Used once on each job or device.' }),
    value: t.exposeString('value', { description: 'Any text; may be empty.' }),
  }),
});

export const LabelInput = builder.inputType('LabelInput', {
  description: 'A label to set or to look for.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'At most 200 characters; once in a list.' }),
    value: t.string({ required: true, description: 'At most 200 characters. A match is exact, upper and lower case included.' }),
  }),
});
