/**
 * What an attack costs others: the peak memory of the gateway's process, and how long a healthy
 * client waits for its answers.
 *
 *     const calm = await strain(gateway, (client) => client.answered(300));
 *     const attacked = await strain(gateway, async (client) => {
 *       await openManySockets();
 *       await client.answered(1_000);
 *     });
 *
 * The healthy client runs in its own thread, so that an attacker that blocks the test's event loop
 * does not seem to slow it down.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Gateway } from './gateway.ts';

export interface HealthyClient {
  /** Resolves after `count` more answers. Rejects if a request fails. */
  answered(count: number): Promise<void>;
}

export interface Strain {
  /** The peak resident set of the gateway, in MB. */
  readonly mostMb: number;
  /** The answer times of the healthy client: the median and the 99th percentile. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The number of answers behind these figures. */
  readonly answers: number;
}

/** Linux tells the memory of a process. */
export const canMeasureStrain = process.platform === 'linux';

/**
 * Runs a healthy client during `work`. Rejects if `work` does, or if the healthy client is refused
 * or gets no answer.
 */
export async function strain(
  gateway: Pick<Gateway, 'url' | 'adminKey' | 'pid'>,
  work: (client: HealthyClient) => Promise<unknown>,
): Promise<Strain> {
  forgetMostMemory(gateway.pid);
  const waits: number[] = [];
  let tell = () => {};
  const worker = new Worker(new URL('./healthy-client.ts', import.meta.url), {
    workerData: { url: gateway.url, adminKey: gateway.adminKey },
  });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  failed.catch(() => {}); // `work` may have failed already
  worker.on('message', (ms: number) => {
    waits.push(ms);
    tell();
  });
  const answered = async (count: number) => {
    const enough = waits.length + count;
    while (waits.length < enough) {
      const next = Promise.withResolvers<void>();
      tell = next.resolve;
      await Promise.race([next.promise, failed]);
    }
  };
  try {
    await Promise.race([work({ answered }), failed]);
  } finally {
    await worker.terminate();
  }
  const sorted = waits.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { mostMb: mostMemoryMb(gateway.pid), p50Ms: at(0.5), p99Ms: at(0.99), answers: sorted.length };
}

/**
 * Resets the peak memory. If the system does not allow it, the peak since the start is used, which
 * is no lower.
 */
function forgetMostMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {}
}

const mostMemoryMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1_024;
