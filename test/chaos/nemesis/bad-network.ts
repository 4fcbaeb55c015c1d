/**
 * A network between clients and a server on 127.0.0.1 that delays, cuts and swallows: a proxy whose
 * faults follow from a seed.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Random } from '../random.ts';

export interface Mishaps {
  /** The numbers of delayed, cut and swallowed connections. */
  readonly delayed: number;
  readonly cut: number;
  readonly swallowed: number;
}

export interface BadNetwork {
  readonly port: number;
  readonly mishaps: Mishaps;
  /** From now on everything arrives. Swallowed connections are cut. */
  heal(): void;
  close(): void;
}

const LONGEST_DELAY_MS = 120;
/** How long a connection lives before its fault. */
const LONGEST_PEACE_MS = 2_500;
/** A swallowed connection stays open on both sides, and neither hears from the other. */
const LONGEST_SILENCE_MS = 6_000;

export async function openBadNetwork(target: number, random: Random): Promise<BadNetwork> {
  const mishaps = { delayed: 0, cut: 0, swallowed: 0 };
  const pairs = new Set<Pair>();
  let isHealed = false;
  const server = createServer((client) => {
    const pair = new Pair(client, connect(target, '127.0.0.1'));
    pairs.add(pair);
    pair.onClosed = () => pairs.delete(pair);
    if (isHealed) return;
    if (random.chance(0.3)) {
      mishaps.delayed += 1;
      pair.delayMs = random.between(1, LONGEST_DELAY_MS);
    }
    const fate = random.pick(['none', 'cut', 'cut', 'swallow']);
    if (fate === 'none') return;
    pair.after(random.between(1, LONGEST_PEACE_MS), () => {
      if (isHealed) return;
      if (fate === 'cut') {
        mishaps.cut += 1;
        pair.cut();
      } else {
        mishaps.swallowed += 1;
        pair.swallow();
        pair.after(random.between(500, LONGEST_SILENCE_MS), () => pair.cut());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port, // it listens on a port
    mishaps,
    heal() {
      isHealed = true;
      for (const pair of pairs) if (pair.isSilent) pair.cut();
    },
    close() {
      for (const pair of pairs) pair.cut();
      server.close();
    },
  };
}

/** A client's connection and the matching one to the server. */
class Pair {
  delayMs = 0;
  isSilent = false;
  onClosed = () => {};
  readonly #sockets: readonly [Socket, Socket];
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(client: Socket, upstream: Socket) {
    this.#sockets = [client, upstream];
    this.#carry(client, upstream);
    this.#carry(upstream, client);
  }

  after(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, milliseconds);
    this.#timers.add(timer);
  }

  cut(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.onClosed();
  }

  swallow(): void {
    this.isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  #carry(from: Socket, to: Socket): void {
    from.on('error', () => {});
    from.on('data', (bytes) => {
      if (this.delayMs === 0) return void to.write(bytes);
      // The bytes are under way for the delay, and arrive in their order.
      this.after(this.delayMs, () => to.write(bytes));
    });
    from.on('end', () => this.after(this.delayMs, () => to.end()));
    from.on('close', () => {
      if (!this.isSilent) this.after(this.delayMs, () => this.cut());
    });
  }
}
