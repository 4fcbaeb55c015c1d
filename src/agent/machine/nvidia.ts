/** Finds the NVIDIA GPUs that this device may hand out, and what is wrong with them. */
import { execFile } from 'node:child_process';
import { wait } from '../../timing/backoff.ts';
import { passEnvironment } from '../process/environment.ts';

export const gpuQuery = '--query-gpu=uuid,name,utilization.gpu,memory.total,memory.used';
export const gpuFormat = '--format=csv,noheader,nounits';

/** A hanging driver must not hang the agent. */
const PATIENCE_MS = 5_000;

/** What can be handed out: a GPU, or a MIG instance of one. */
export interface GpuUnit {
  /** Its UUID: `GPU-…` or `MIG-…`. */
  readonly id: string;
  readonly model: string;
}

export interface GpuSurvey {
  /** Null without nvidia-smi: nothing is known of GPUs. */
  readonly units: readonly GpuUnit[] | null;
  /** What the operator should know. */
  readonly problems: readonly string[];
}

/** Lists the GPUs that CUDA_VISIBLE_DEVICES leaves to this agent. */
export async function surveyGpus(visible: string | undefined = process.env.CUDA_VISIBLE_DEVICES): Promise<GpuSurvey> {
  const listed = await askNvidiaSmi([gpuQuery, gpuFormat]);
  if (listed.problem === 'ABSENT') return { units: null, problems: [] };
  const { whole, broken } = readGpus(listed.output);
  const problems = broken.map((line) => `A GPU does not work and is not offered: ${line}`);
  if (listed.problem !== null) problems.push(`nvidia-smi ${listed.problem}`);
  const instances = whole.length === 0 ? new Map<string, GpuUnit[]>() : readInstances((await askNvidiaSmi(['-L'])).output);
  const { units, unknown } = selectVisible(whole, instances, visible);
  if (unknown !== null)
    problems.push(`CUDA_VISIBLE_DEVICES names ${unknown}, which is not a GPU here. It and those after it are not offered.`);
  return { units, problems };
}

/** Parses lines of `uuid, name, …`. A GPU whose line reports an error is broken. */
export function readGpus(csv: string): { whole: GpuUnit[]; broken: string[] } {
  const lines = csv.split('\n').filter((line) => line.split(',').length === 5);
  const isBroken = (line: string) => /error|requires reset|is lost|ERR!/i.test(line) || line.trimStart().startsWith('[');
  const whole = lines
    .filter((line) => !isBroken(line))
    .map((line) => line.split(',').map((field) => field.trim()))
    .map(([id = '', model = '']) => ({ id, model }));
  return { whole, broken: lines.filter(isBroken) };
}

/**
 * The MIG instances of each GPU, from `nvidia-smi -L`: a line for each GPU, followed by a line for
 * each instance.
 */
export function readInstances(output: string): Map<string, GpuUnit[]> {
  const instances = new Map<string, GpuUnit[]>();
  let parent: GpuUnit | null = null;
  for (const line of output.split('\n')) {
    const gpu = /^GPU \d+: (.+) \(UUID: ([^)]+)\)/.exec(line);
    if (gpu !== null) parent = { id: gpu[2] ?? '', model: gpu[1] ?? '' };
    const instance = /^\s+(MIG \S+)\s.*\(UUID: ([^)]+)\)/.exec(line);
    if (instance === null || parent === null) continue;
    const unit = { id: instance[2] ?? '', model: `${parent.model} ${instance[1]}` };
    instances.set(parent.id, [...(instances.get(parent.id) ?? []), unit]);
  }
  return instances;
}

/**
 * Reads the variable as CUDA does: indexes, UUIDs or their prefixes, up to the first that matches
 * nothing. An empty list or -1 means no GPU. Indexes count in nvidia-smi's order. A GPU with MIG
 * instances stands for them.
 */
export function selectVisible(
  gpus: readonly GpuUnit[],
  instances: ReadonlyMap<string, readonly GpuUnit[]>,
  visible: string | undefined,
): { units: GpuUnit[]; unknown: string | null } {
  const unitsOf = (gpu: GpuUnit): readonly GpuUnit[] => instances.get(gpu.id) ?? [gpu];
  const all = gpus.flatMap(unitsOf);
  if (visible === undefined) return { units: all, unknown: null };
  const chosen = new Map<string, GpuUnit>();
  const entries = visible.split(',').map((entry) => entry.trim());
  for (const entry of entries) {
    const gpu = /^\d+$/.test(entry) ? gpus[Number(entry)] : gpus.find(({ id }) => entry.startsWith('GPU-') && id.startsWith(entry));
    const found = gpu ? unitsOf(gpu) : all.filter(({ id }) => entry.startsWith('MIG-') && id.startsWith(entry));
    const isNone = entry === '-1' || (entry === '' && entries.length === 1);
    if (found.length === 0) return { units: [...chosen.values()], unknown: isNone ? null : JSON.stringify(entry) };
    for (const unit of found) chosen.set(unit.id, unit);
  }
  return { units: [...chosen.values()], unknown: null };
}

interface Answer {
  readonly output: string;
  /**
   * What went wrong: completes a sentence that begins with the program's name. ABSENT: the program
   * does not exist.
   */
  readonly problem: string | null;
}

/** Its output and what went wrong. Always resolves within seconds. */
export async function askNvidiaSmi(args: readonly string[]): Promise<Answer> {
  const answered = new AbortController();
  const asked = new Promise<Answer>((resolve) => {
    const options = { timeout: PATIENCE_MS, killSignal: 'SIGKILL', env: passEnvironment(process.env) } as const;
    execFile('nvidia-smi', args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ output: stdout, problem: null });
      if (error.code === 'ENOENT') return resolve({ output: '', problem: 'ABSENT' });
      if (error.killed) return resolve(silent);
      const said = `${stderr}\n${stdout}`.split('\n').find((line) => line.trim() !== '' && line.split(',').length !== 5);
      resolve({ output: stdout, problem: `failed: ${said?.trim() ?? error.message}` });
    });
  });
  // A program that hangs in its driver is not even ended by SIGKILL, so its end is not awaited.
  const late = wait(PATIENCE_MS + 1_000, answered.signal).then(
    () => silent,
    () => silent,
  );
  const answer = await Promise.race([asked, late]);
  answered.abort();
  return answer;
}

const silent: Answer = { output: '', problem: `did not answer within ${PATIENCE_MS / 1_000} s.` };
