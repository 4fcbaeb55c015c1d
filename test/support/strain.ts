/**
 * What an attack costs the others: the memory of a gateway's process at its highest, and how long a healthy client waits for its answers meanwhile.
 *
 *     const calm = await strain(gateway, (client) => client.answered(300));
 *     const attacked = await strain(gateway, async (client) => {
 *       await openManySockets();
 *       await client.answered(1_000);
 *     });
 *
 * The healthy client runs in a thread of its own, so that an attacker who keeps the test's event loop busy does not seem to slow it down.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Gateway } from './gateway.ts';

export interface HealthyClient {
  /** Resolves when so many more of its questions were answered; rejects when one was not. */
  answered(count: number): Promise<void>;
}

export interface Strain {
  /** The most memory that the gateway had meanwhile: its resident set, in megabytes. */
  readonly mostMb: number;
  /** How long the healthy client waited: in 50 and in 99 of a hundred cases no longer than this. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How many answers these figures are of. */
  readonly answers: number;
}

/** The system says how much memory a process has. */
export const canMeasureStrain = process.platform === 'linux';

/** Has a healthy client ask while `work` goes on. Rejects when `work` does, or when the healthy client is refused or gets no answer. */
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
  failed.catch(() => {}); // where `work` has failed already
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

/** Has the system note the most memory anew. Where it does not let us, the most since the start stands, which is no less. */
function forgetMostMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // As said above.
  }
}

const mostMemoryMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1_024;
