import type { Resources as ResourcesShape } from '../../domain/core/vocabulary.ts';
import { builder } from '../core/builder.ts';

export const Resources = builder.objectRef<ResourcesShape>('Resources').implement({
  description:
    'Resources. For a step: what it needs of its device; null is no requirement. For a device: what it has; null is none or ' + 'unknown.',
  fields: (t) => ({
    memoryMb: t.exposeInt('memoryMb', { nullable: true, description: 'Memory in mebibytes (1,048,576 bytes).' }),
    cpu: t.exposeFloat('cpu', { nullable: true, description: 'CPU cores. Fractions are allowed.' }),
    gpu: t.exposeInt('gpu', { nullable: true, description: 'The number of GPUs.' }),
    gpuModel: t.exposeString('gpuModel', { nullable: true, description: 'The GPU model, as the driver reports it.' }),
    shm: t.exposeBoolean('shm', {
      description: 'For a step: whether it needs shared memory (/dev/shm). For a device: whether it offers it.',
    }),
  }),
});

export const ResourcesInput = builder.inputType('ResourcesInput', {
  description: 'The resources that a step needs or a device has. For a step, a field that is left out is no requirement.',
  fields: (t) => ({
    memoryMb: t.int({ description: 'Memory in mebibytes; at least 1.' }),
    cpu: t.float({ description: 'CPU cores, such as 0.5 or 8.' }),
    gpu: t.int({ description: 'The number of GPUs.' }),
    gpuModel: t.string({ description: 'The GPU model that is required or present.' }),
    shm: t.boolean({ required: true, defaultValue: false, description: 'Whether shared memory (/dev/shm) is required or offered.' }),
  }),
});
