import { existsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type { ResourcesInput } from '../../client/generated.ts';
import { findCpuQuota } from '../process/cgroups.ts';
import type { GpuUnit } from './nvidia.ts';

const bytesPerMb = 1024 * 1024;

/**
 * What this machine offers to steps: the cores that this process may use and its memory in MiB (a container's or service's limit where one is set), these
 * GPUs with the model of the first, and whether it has shared memory.
 */
export function findResources(gpus: readonly GpuUnit[]): ResourcesInput {
  const [first] = gpus;
  return {
    cpu: Math.min(availableParallelism(), findCpuQuota() ?? Number.POSITIVE_INFINITY),
    memoryMb: machineMemoryMb(),
    gpu: gpus.length,
    ...(first !== undefined && { gpuModel: first.model }),
    shm: existsSync('/dev/shm'),
  };
}

/** MiB. */
export function machineMemoryMb(): number {
  // 0 or undefined when no limit is set, and then some systems answer a number beyond all memory.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(limit, totalmem()) / bytesPerMb);
}
