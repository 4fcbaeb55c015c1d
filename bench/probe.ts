/**
 * Runs inside a measured server (`node --import`), and answers its parent: the processor time that
 * the process has used, the longest time that the event loop was held, and the size of its heap.
 */
import type { Server } from './processes.ts';

type Question = 'cpu' | 'watch' | 'hold' | 'heap';
interface Answer {
  readonly value: number;
}

/** Flags of Node for a server that is asked. */
export const probeFlags: readonly string[] = ['--expose-gc', '--import', import.meta.url];

/**
 * `cpu`: microseconds of all threads. `watch` begins to look for `hold`: milliseconds of the
 * longest turn of the event loop. `heap`: bytes, without garbage.
 */
export async function ask(server: Server, question: Question): Promise<number> {
  return ((await server.ask(question)) as Answer).value; // as below
}

/** How often the loop is looked at. What else it does in this time counts as part of the hold. */
const EVERY_MS = 1;

let watching: NodeJS.Timeout | null = null;
let longestUs = 0;

/**
 * The processor time of this thread, so that other programs on the machine do not count. Linux
 * counts it by the ticks of its scheduler, which are 1 to 4 ms.
 */
const worked = () => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};

function watch(): void {
  longestUs = 0;
  let before = worked();
  watching = setInterval(() => {
    const now = worked();
    longestUs = Math.max(longestUs, now - before);
    before = now;
  }, EVERY_MS);
}

function answerTo(question: Question): number {
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
  if (question === 'heap') {
    for (let i = 0; i < 3; i++) globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  }
  clearInterval(watching ?? undefined);
  const longest = longestUs / 1_000;
  if (question === 'watch') watch();
  return longest;
}

process.on('message', (question: Question) => process.send?.({ value: answerTo(question) } satisfies Answer));
// The gateway ends without waiting for its parent.
process.channel?.unref();
