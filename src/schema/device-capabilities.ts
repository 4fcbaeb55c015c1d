/** What a device can run. */
import type { Capabilities } from '../domain/core/vocabulary.ts';
import { builder } from './core/builder.ts';
import { RunKind } from './core/enums.ts';

export const DeviceCapabilities = builder.objectRef<Capabilities>('DeviceCapabilities').implement({
  description: 'What a device can run. It is offered no step that it cannot run.',
  fields: (t) => ({
    runs: t.expose('runs', { type: [RunKind], description: 'How it can run steps that have a command or an image.' }),
    stepNames: t.exposeStringList('stepNames', {
      description:
        'The names of the steps that it implements itself, which have neither a command nor an image. In federated rounds these are ' +
        '`Train` and `Aggregate`.',
    }),
  }),
});

export const DeviceCapabilitiesInput = builder.inputType('DeviceCapabilitiesInput', {
  description: 'What a device can run.',
  fields: (t) => ({
    runs: t.field({
      type: [RunKind],
      required: true,
      defaultValue: [],
      description: 'How it can run steps that have a command or an image. An empty list: it runs no such steps.',
    }),
    stepNames: t.stringList({
      required: true,
      defaultValue: [],
      description:
        'The names of the steps that it implements itself, which have neither a command nor an image: at most 1,000. In federated ' +
        'rounds these are `Train` and `Aggregate`.',
    }),
  }),
});
