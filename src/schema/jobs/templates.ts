import type { StepTemplate as StepTemplateShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';
import { Label, LabelInput } from '../core/labels.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { Container, ContainerInput } from './containers.ts';
import { Resources, ResourcesInput } from './resources.ts';

export const StepTemplate = builder.objectRef<StepTemplateShape>('StepTemplate').implement({
  description: "A step as a project's pipeline describes it: each job that is started from the pipeline gets one like it.",
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What the step will be called.' }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: "What it will run. Null: the job's container, or whatever claims it knows by its name.",
    }),
    resources: t.expose('resources', { type: Resources, description: 'What it will need of its device.' }),
    requiredLabels: t.expose('requiredLabels', {
      type: [Label],
      size: IN_ITS_ROW,
      description: 'Labels that its device must have, all of them.',
    }),
    maxAttempts: t.exposeInt('maxAttempts', { description: 'How many reported failures it may have before it is FAILED.' }),
  }),
});

export const StepInput = builder.inputType('StepInput', {
  description: 'A step to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What it is called: at most 200 characters. Devices that know steps by name go by it.' }),
    container: t.field({ type: ContainerInput, description: "What it runs. Default: the job's container." }),
    resources: t.field({ type: ResourcesInput, description: "What it needs of its device. Default: its container's." }),
    pinnedDeviceId: t.id({ description: "The only device that may claim it; one of the job's project." }),
    requiredLabels: t.field({ type: [LabelInput], description: 'Labels that its device must have, all of them.' }),
    maxAttempts: t.int({
      required: true,
      defaultValue: 1,
      description: 'How many reported failures it may have before it is FAILED. Lost devices are counted apart.',
    }),
  }),
});
