import { existsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type { ResourcesInput } from '../../client/generated.ts';
import { findCpuQuota } from '../process/cgroups.ts';
import type { GpuUnit } from './nvidia.ts';

const bytesPerMb = 1024 * 1024;

/**
 * What this machine offers to steps: its cores and memory in MiB (within the limit of a container
 * or service), these GPUs with the model of the first, and whether it has shared memory.
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
  // 0 or undefined without a limit. Some systems then return more than all memory.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(limit, totalmem()) / bytesPerMb);
}
