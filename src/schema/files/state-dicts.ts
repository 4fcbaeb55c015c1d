import { badRequest } from '../../domain/core/refusals.ts';
import {
  newValueBudget,
  type StateDict as StateDictShape,
  stateDictOf,
  type Tensor as TensorShape,
} from '../../domain/files/safetensors.ts';
import { builder } from '../core/builder.ts';
import { Fragment } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';

const MOST_ELEMENTS = 65_536;

const Tensor = builder.objectRef<TensorShape>('Tensor').implement({
  description: 'One tensor of a model.',
  fields: (t) => ({
    name: t.exposeString('name', { budget: true, description: 'Its name in the model: `encoder.layers.0.weight`.' }),
    dtype: t.exposeString('dtype', { description: 'The type of its elements, as the file says it: F32, BF16, I64 …' }),
    shape: t.exposeIntList('shape', { description: 'Its size in each dimension; empty for a single number.' }),
    values: t.exposeFloatList('values', {
      nullable: { list: true, items: true },
      description:
        'Its elements, row by row; null for what JSON has no number for (NaN, infinity). Null as a whole: it has more elements than maxElements, ' +
        'the answer has a quarter of a million already, or the type of its elements is not a known one.',
    }),
  }),
});

const StateDict = builder.objectRef<StateDictShape>('StateDict').implement({
  description: 'What a safetensors file holds.',
  fields: (t) => ({
    metadata: t.expose('metadata', { type: 'JSONObject', description: 'What its maker wrote about it; empty if nothing.' }),
    tensors: t.expose('tensors', { type: [Tensor], size: SOME, description: 'Its tensors, in the order of the file.' }),
  }),
});

builder.objectField(Fragment, 'stateDict', (t) =>
  t.field({
    type: StateDict,
    nullable: true,
    description: 'Of a safetensors file: its tensors, read from it without reading the rest. Null: it is PENDING, or no such file.',
    args: {
      tensors: t.arg.stringList({ description: 'The names of the tensors to show. Default: all.' }),
      maxElements: t.arg.int({
        required: true,
        defaultValue: 1_024,
        description: `Values are shown of tensors of at most this many elements: 0 to ${MOST_ELEMENTS}.`,
      }),
    },
    resolve: (fragment, { tensors, maxElements }, { domain, loaders, budget }) => {
      if (maxElements < 0 || maxElements > MOST_ELEMENTS) {
        throw badRequest.outOfRange('maxElements', 0, MOST_ELEMENTS, maxElements);
      }
      return stateDictOf(domain, fragment, {
        names: tensors ?? null,
        maxElements,
        budget: loaders.of(newValueBudget, newValueBudget),
        beforeHeader: (bytes) => budget.take(bytes),
      });
    },
  }),
);
