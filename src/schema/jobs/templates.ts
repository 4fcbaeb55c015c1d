import type { StepTemplate as StepTemplateShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';
import { Label, LabelInput } from '../core/labels.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { Container, ContainerInput } from './containers.ts';
import { Resources, ResourcesInput } from './resources.ts';

export const StepTemplate = builder.objectRef<StepTemplateShape>('StepTemplate').implement({
  description: "A step of a project's pipeline. Each job started from the pipeline gets such a step.",
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the step.' }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: "What it runs. Null: the job's container, or else the device must implement the step of this name.",
    }),
    resources: t.expose('resources', { type: Resources, description: 'The resources that it needs.' }),
    requiredLabels: t.expose('requiredLabels', {
      type: [Label],
      size: IN_ITS_ROW,
      description: 'Labels that its device must have.',
    }),
    maxAttempts: t.exposeInt('maxAttempts', { description: 'How many reported failures make it FAILED.' }),
  }),
});

export const StepInput = builder.inputType('StepInput', {
  description: 'A step to create.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Its name: at most 200 characters. Devices that implement steps themselves recognize them by name.',
    }),
    container: t.field({ type: ContainerInput, description: "What it runs. Default: the job's container." }),
    resources: t.field({ type: ResourcesInput, description: 'The resources that it needs. Default: those of its container.' }),
    pinnedDeviceId: t.id({ description: "The only device that may claim it. It must serve the job's project." }),
    requiredLabels: t.field({ type: [LabelInput], description: 'Labels that its device must have.' }),
    maxAttempts: t.int({
      required: true,
      defaultValue: 1,
      description: 'How many reported failures make it FAILED. Lost devices are counted separately.',
    }),
  }),
});
