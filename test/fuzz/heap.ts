/**
 * The size of a gateway's heap after collection, read through the inspector that its process starts
 * with.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Gateway } from '../support/gateway.ts';

/** For `startGateway`: the process prints the address of its inspector. */
export const inspected = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

export async function openHeap(gateway: Gateway): Promise<{ usedMb(): Promise<number>; close(): void }> {
  const address = /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(gateway.output())?.[0];
  if (address === undefined) throw new Error(`The gateway did not say where its inspector is:\n${gateway.output()}`);
  const socket = new WebSocket(address);
  await once(socket, 'open');
  let last = 0;
  const call = (method: string): Promise<Record<string, number>> =>
    new Promise((resolve) => {
      const id = ++last;
      const take = (message: unknown) => {
        const answer = JSON.parse(String(message));
        if (answer.id !== id) return;
        socket.off('message', take);
        resolve(answer.result);
      };
      socket.on('message', take);
      socket.send(JSON.stringify({ id, method }));
    });
  return {
    async usedMb() {
      // An object freed by the first collection may have kept others alive through a finaliser.
      for (let i = 0; i < 2; i++) await call('HeapProfiler.collectGarbage');
      return ((await call('Runtime.getHeapUsage')).usedSize ?? 0) / 1e6;
    },
    close: () => socket.close(),
  };
}
