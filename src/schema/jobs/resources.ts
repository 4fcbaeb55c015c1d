import type { Resources as ResourcesShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';

export const Resources = builder.objectRef<ResourcesShape>('Resources').implement({
  description: 'Of a step: what it needs of its device; null asks for nothing. Of a device: what it has; null is none, or not known.',
  fields: (t) => ({
    memoryMb: t.exposeInt('memoryMb', { nullable: true, description: 'Memory in mebibytes (1,048,576 bytes).' }),
    cpu: t.exposeFloat('cpu', { nullable: true, description: 'Processor cores; parts of one are possible.' }),
    gpu: t.exposeInt('gpu', { nullable: true, description: 'How many GPUs.' }),
    gpuModel: t.exposeString('gpuModel', { nullable: true, description: 'The model of the GPUs, as the driver names it.' }),
    shm: t.exposeBoolean('shm', {
      description: 'Of a step: whether it needs shared memory (/dev/shm). Of a device: whether it offers it.',
    }),
  }),
});

export const ResourcesInput = builder.inputType('ResourcesInput', {
  description: 'What a step needs, or what a device has. What is left out is not asked for.',
  fields: (t) => ({
    memoryMb: t.int({ description: 'Memory in mebibytes; at least 1.' }),
    cpu: t.float({ description: 'Processor cores, like 0.5 or 8.' }),
    gpu: t.int({ description: 'How many GPUs.' }),
    gpuModel: t.string({ description: 'The model that the GPUs must be, or are.' }),
    shm: t.boolean({ required: true, defaultValue: false, description: 'Whether shared memory (/dev/shm) is needed, or offered.' }),
  }),
});
