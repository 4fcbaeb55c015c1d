/** How much a gateway's heap holds, everything collected that can be: asked over the inspector that its process is started with. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Gateway } from '../support/gateway.ts';

/** For `startGateway`: the process then says where its inspector listens. */
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
      // What was let go by the first collection may have held others by a finaliser.
      for (let i = 0; i < 2; i++) await call('HeapProfiler.collectGarbage');
      return ((await call('Runtime.getHeapUsage')).usedSize ?? 0) / 1e6;
    },
    close: () => socket.close(),
  };
}
