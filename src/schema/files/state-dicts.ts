import { badRequest } from '../../domain/core/request-refusals.ts';
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
    name: t.exposeString('name', { budget: true, description: 'Its name within the model: `encoder.layers.0.weight`.' }),
    dtype: t.exposeString('dtype', { description: 'The type of its elements, as the file names it: F32, BF16, I64 …' }),
    shape: t.exposeIntList('shape', { description: 'Its size in each dimension. Empty for a scalar.' }),
    values: t.exposeFloatList('values', {
      nullable: { list: true, items: true },
      description:
        'Its elements in row-major order. An element is null if JSON has no number for it (NaN, infinity). The list is null if the ' +
        'tensor has more than maxElements elements, the response already has 250,000 elements, or the element type is unknown.',
    }),
  }),
});

const StateDict = builder.objectRef<StateDictShape>('StateDict').implement({
  description: 'The content of a safetensors file.',
  fields: (t) => ({
    metadata: t.expose('metadata', { type: 'JSONObject', description: 'The metadata in the file. May be empty.' }),
    tensors: t.expose('tensors', { type: [Tensor], size: SOME, description: 'Its tensors, in the order of the file.' }),
  }),
});

builder.objectField(Fragment, 'stateDict', (t) =>
  t.field({
    type: StateDict,
    nullable: true,
    description:
      'For a safetensors file: its tensors. Only the requested parts of the file are read. Null: the file is PENDING or not a ' +
      'safetensors file.',
    args: {
      tensors: t.arg.stringList({ description: 'The names of the tensors to return. Default: all.' }),
      maxElements: t.arg.int({
        required: true,
        defaultValue: 1_024,
        description: `Values are returned only for tensors with at most this many elements: 0 to ${MOST_ELEMENTS}.`,
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
