import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { passEnvironment } from '../process/environment.ts';
import { Family } from '../process/family.ts';
import type { ProcessRow } from '../process/processes.ts';
import { askEngine } from './engine.ts';
import { listGpuProcesses, listGpus, sampleGpus } from './gpus.ts';

const run = promisify(execFile);

/**
 * What a step consumes. cpu: 1 is one fully loaded core, since the previous sample. memoryMb: MiB.
 */
export interface TelemetryEntry {
  readonly at: string;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly gpuDutyCycle?: number;
  readonly gpuMemory?: number;
}

export const samplePeriodMilliseconds = 2_000;

/** A source of samples. Null when there is nothing left to measure. */
export interface Meter {
  sample(): Promise<TelemetryEntry | null>;
}

/** Measures all processes of a step. */
export class ProcessMeter implements Meter {
  readonly #list: () => Promise<readonly ProcessRow[]>;
  readonly #hasGpus: boolean;
  #before: { readonly cpuSeconds: number; readonly at: number };

  constructor(list: () => Promise<readonly ProcessRow[]>, hasGpus: boolean) {
    this.#list = list;
    this.#hasGpus = hasGpus;
    // It was just started and has used nothing yet.
    this.#before = { cpuSeconds: 0, at: performance.now() };
  }

  async sample(): Promise<TelemetryEntry | null> {
    const tree = await this.#list();
    const now = performance.now();
    if (tree.length === 0) return null;
    const cpuSeconds = tree.reduce((sum, row) => sum + row.cpuSeconds, 0);
    const elapsed = (now - this.#before.at) / 1000;
    // A process that left the tree took its CPU time with it. That is not a negative load.
    const cpu = elapsed > 0 ? Math.max(0, cpuSeconds - this.#before.cpuSeconds) / elapsed : 0;
    this.#before = { cpuSeconds, at: now };
    const memoryMb = await measureMemory(tree);
    return { at: new Date().toISOString(), cpu: round(cpu), memoryMb: round(memoryMb), ...(await this.#sampleGpus(tree)) };
  }

  async #sampleGpus(tree: readonly ProcessRow[]) {
    if (!this.#hasGpus) return null;
    const [gpus, processes] = await Promise.all([listGpus(), listGpuProcesses()]);
    return sampleGpus(gpus, processes, new Set(tree.map((row) => row.pid)));
  }
}

/**
 * MiB that the processes hold. On Linux this is the proportional set size: pages that several
 * processes share (the forked workers of a data loader) count once. Adding up resident sizes would
 * count them once for each.
 */
async function measureMemory(tree: readonly ProcessRow[]): Promise<number> {
  if (process.platform !== 'linux') return measureResident(tree);
  const sizes = await Promise.all(tree.map((row) => readProportionalKb(row.pid)));
  return sizes.reduce((sum, kb) => sum + kb, 0) / 1024;
}

async function readProportionalKb(pid: number): Promise<number> {
  // It may have ended by now. For another user's process, sizes are only in its status.
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '');
  const proportional = /^Pss:\s+(\d+) kB$/m.exec(rollup);
  if (proportional !== null) return Number(proportional[1]);
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

async function measureResident(tree: readonly ProcessRow[]): Promise<number> {
  const pids = tree.map((row) => row.pid).join(',');
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', pids], { env: passEnvironment(process.env) }).catch(() => ({ stdout: '' }));
  return stdout.split('\n').reduce((sum, line) => sum + Number(line.trim() || 0), 0) / 1024;
}

/**
 * Measures a container by its processes if they run on this machine. If the engine runs elsewhere
 * or in a virtual machine, asks the engine.
 */
export class ContainerMeter implements Meter {
  readonly #name: string;
  readonly #hasGpus: boolean;
  #processes: ProcessMeter | null | undefined;

  constructor(name: string, hasGpus: boolean) {
    this.#name = name;
    this.#hasGpus = hasGpus;
  }

  async sample(): Promise<TelemetryEntry | null> {
    if (this.#processes === undefined) this.#processes = await this.#findProcesses();
    if (this.#processes === undefined) return null;
    return this.#processes === null ? this.#askEngine() : this.#processes.sample();
  }

  async #findProcesses(): Promise<ProcessMeter | null | undefined> {
    const family = await findContainerFamily(this.#name);
    return family && new ProcessMeter(() => family.list(), this.#hasGpus);
  }

  async #askEngine(): Promise<TelemetryEntry | null> {
    const args = ['stats', '--no-stream', '--format', '{{.CPUPerc}}|{{.MemUsage}}', this.#name];
    const stats = parseContainerStats(await askEngine(args, 10).catch(() => ''));
    return stats === null ? null : { at: new Date().toISOString(), ...stats };
  }
}

/**
 * The processes of a container, which all descend from its first one. Null: they do not run on this
 * machine. Undefined: it does not run yet.
 */
export async function findContainerFamily(name: string): Promise<Family | null | undefined> {
  const answer = await askEngine(['inspect', '--format', '{{.State.Pid}} {{.Id}}', name], 10).catch(() => '');
  const [pid = '0', id = ''] = answer.trim().split(' ');
  if (!(Number(pid) > 0) || id === '') return undefined;
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return groups.includes(id) ? new Family({ root: Number(pid) }) : null;
}

/** Parses `12.50%|34.2MiB / 7.6GiB`, as docker stats prints it. Null for anything else. */
export function parseContainerStats(line: string): { cpu: number; memoryMb: number } | null {
  const match = /^([\d.]+)%\|([\d.]+)(B|KiB|MiB|GiB|TiB) /.exec(line.trim());
  if (match === null) return null;
  const powers: Record<string, number> = { B: -2, KiB: -1, MiB: 0, GiB: 1, TiB: 2 };
  return { cpu: round(Number(match[1]) / 100), memoryMb: round(Number(match[2]) * 1024 ** (powers[match[3] ?? ''] ?? 0)) };
}

export const round = (number: number) => Math.round(number * 1000) / 1000;
