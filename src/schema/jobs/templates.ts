import type { StepSource, StepTemplate as StepTemplateShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';
import { Label, LabelInput } from '../core/labels.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { Container, ContainerInput } from './containers.ts';
import { Resources, ResourcesInput } from './resources.ts';

export const StepFile = builder.objectRef<StepSource>('StepFile').implement({
  description: 'A file that a step of the same job produced.',
  fields: (t) => ({
    stepNumber: t.exposeInt('stepNumber', { description: 'The number of that step.' }),
    filename: t.exposeString('filename', { description: 'The filename, as that step named it in its folder of fragments.' }),
  }),
});

const StepFileInput = builder.inputType('StepFileInput', {
  description: 'A file that an earlier step of the same job produces.',
  fields: (t) => ({
    stepNumber: t.int({ required: true, description: 'The number of that step: 0 is the first of the job.' }),
    filename: t.string({ required: true, description: 'The filename, as that step names it in its folder of fragments, ignoring case.' }),
  }),
});

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
    inputs: t.field({
      type: [StepFile],
      size: IN_ITS_ROW,
      description: 'The files of earlier steps that it starts with.',
      resolve: ({ inputs }) => inputs ?? [],
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
    inputs: t.field({
      type: [StepFileInput],
      description:
        'Files of earlier steps: at most 50. Before its command runs, each is at $TRAINYARD_INPUTS/STEP/FILENAME. The step fails if one ' +
        'is missing. Default: none.',
    }),
    maxAttempts: t.int({
      required: true,
      defaultValue: 1,
      description: 'How many reported failures make it FAILED. Lost devices are counted separately.',
    }),
  }),
});
