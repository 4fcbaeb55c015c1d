/** What the whole machine uses, reported while the agent runs, with steps or without. */
import { cpus, freemem, totalmem } from 'node:os';
import { ReportDeviceTelemetryDocument } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { wait } from '../../timing/backoff.ts';
import { mayRetry } from '../retrying.ts';
import { type Gpu, type GpuSample, listGpus } from './gpus.ts';
import { round, type TelemetryEntry } from './telemetry.ts';

const MIB = 1_048_576;
/** While the gateway is away: some minutes of samples. The oldest are dropped. */
const MOST_KEPT = 60;
const REPORT_WITHIN_SECONDS = 5;

/** Measures the machine. `cpu`: 1 is one fully loaded core, since the previous sample. */
export class MachineMeter {
  #before = readCpus();

  async sample(hasGpus: boolean): Promise<TelemetryEntry> {
    const { busy, total } = readCpus();
    const share = total > this.#before.total ? (busy - this.#before.busy) / (total - this.#before.total) : 0;
    this.#before = { busy, total };
    return {
      at: new Date().toISOString(),
      cpu: round(Math.max(0, share) * cpus().length),
      memoryMb: round((totalmem() - freemem()) / MIB),
      ...(hasGpus && sampleAllGpus(await listGpus())),
    };
  }
}

/** The time of all cores since the start of the machine, in milliseconds. */
function readCpus(): { readonly busy: number; readonly total: number } {
  const times = cpus().map((core) => core.times);
  const total = times.reduce((sum, { user, nice, sys, irq, idle }) => sum + user + nice + sys + irq + idle, 0);
  return { busy: total - times.reduce((sum, { idle }) => sum + idle, 0), total };
}

/** The mean duty cycle of all GPUs, and the share of their memory that is in use. */
export function sampleAllGpus(gpus: readonly Gpu[]): GpuSample | null {
  if (gpus.length === 0) return null;
  const sum = (of: (gpu: Gpu) => number) => gpus.reduce((total, gpu) => total + of(gpu), 0);
  const share = sum((gpu) => gpu.usedMemoryMb) / sum((gpu) => gpu.memoryMb);
  return {
    gpuDutyCycle: Math.min(100, Math.round(sum((gpu) => gpu.dutyCycle) / gpus.length)),
    gpuMemory: Number.isFinite(share) ? Math.min(1, round(share)) : 0,
  };
}

export interface MachineReports {
  readonly client: Requester;
  readonly deviceId: string;
  readonly everySeconds: number;
  readonly hasGpus: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Reports until the signal. Never rejects. Samples that the gateway did not get are sent with the
 * next one. It ends if the gateway refuses them: claims tell what is wrong with the key or device,
 * and an older gateway does not know the mutation.
 */
export async function reportMachine({ client, deviceId, everySeconds, hasGpus, signal }: MachineReports): Promise<void> {
  const meter = new MachineMeter();
  let samples: TelemetryEntry[] = [];
  while (!signal.aborted) {
    await wait(everySeconds * 1_000, signal).catch(() => {});
    if (signal.aborted) return;
    samples = [...samples, await meter.sample(hasGpus())].slice(-MOST_KEPT);
    const input = { deviceId, samples };
    try {
      await client.request(ReportDeviceTelemetryDocument, { input }, { signal, timeoutSeconds: REPORT_WITHIN_SECONDS });
      samples = [];
    } catch (error) {
      if (!mayRetry(error)) return;
    }
  }
}
