import { askNvidiaSmi, gpuFormat, gpuQuery } from './nvidia.ts';

/** A process that computes on an NVIDIA GPU, and how much of its memory it holds. */
export interface GpuProcess {
  readonly pid: number;
  readonly gpu: string;
  readonly memoryMb: number;
}

export interface Gpu {
  /** Its UUID. */
  readonly id: string;
  readonly model: string;
  /** Percent of the last sample period in which a kernel ran. */
  readonly dutyCycle: number;
  readonly memoryMb: number;
  readonly usedMemoryMb: number;
}

/** gpuDutyCycle: percent, 0 to 100. gpuMemory: share of the memory, 0 to 1. */
export interface GpuSample {
  readonly gpuDutyCycle: number;
  readonly gpuMemory: number;
}

/** The machine's NVIDIA GPUs. Empty without nvidia-smi. */
export async function listGpus(): Promise<Gpu[]> {
  return parseGpus((await askNvidiaSmi([gpuQuery, gpuFormat])).output);
}

export async function listGpuProcesses(): Promise<GpuProcess[]> {
  return parseGpuProcesses((await askNvidiaSmi(['--query-compute-apps=pid,gpu_uuid,used_memory', gpuFormat])).output);
}

/**
 * Parses lines of `uuid, name, utilization.gpu, memory.total, memory.used`. A value that a GPU does
 * not report (`[N/A]`) counts as 0.
 */
export function parseGpus(csv: string): Gpu[] {
  return readRows(csv, 5).map(([id = '', model = '', dutyCycle, memoryMb, usedMemoryMb]) => ({
    id,
    model,
    dutyCycle: numberOf(dutyCycle),
    memoryMb: numberOf(memoryMb),
    usedMemoryMb: numberOf(usedMemoryMb),
  }));
}

/** Parses lines of `pid, gpu_uuid, used_memory`. */
export function parseGpuProcesses(csv: string): GpuProcess[] {
  return readRows(csv, 3).map(([pid, gpu = '', memoryMb]) => ({ pid: numberOf(pid), gpu, memoryMb: numberOf(memoryMb) }));
}

/**
 * How a set of processes uses the GPUs: the mean duty cycle of the GPUs that they compute on, and
 * their share of those GPUs' memory. Null when they use none.
 */
export function sampleGpus(gpus: readonly Gpu[], processes: readonly GpuProcess[], pids: ReadonlySet<number>): GpuSample | null {
  const own = processes.filter((process) => pids.has(process.pid));
  const used = gpus.filter((gpu) => own.some((process) => process.gpu === gpu.id));
  if (used.length === 0) return null;
  const share = sum(own.map((process) => process.memoryMb)) / sum(used.map((gpu) => gpu.memoryMb));
  return {
    gpuDutyCycle: Math.min(100, Math.round(sum(used.map((gpu) => gpu.dutyCycle)) / used.length)),
    gpuMemory: Number.isFinite(share) ? Math.min(1, share) : 0,
  };
}

function readRows(csv: string, columns: number): string[][] {
  const rows = csv.split('\n').map((line) => line.split(',').map((field) => field.trim()));
  return rows.filter((fields) => fields.length === columns);
}

function numberOf(field: string | undefined): number {
  const number = Number(field);
  return Number.isFinite(number) ? number : 0;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
