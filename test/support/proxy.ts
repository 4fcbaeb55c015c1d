/** A TCP proxy in front of a server on 127.0.0.1 whose connections a test can cut and refuse. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  readonly port: number;
  /** Cuts all connections at once. */
  cut(): void;
  /** Cuts all connections, and each new one when its first bytes are in. Resolves after so many of which those bytes contain `text`. */
  refuse(text: string, times: number): Promise<void>;
  /** Lets connections through again. */
  accept(): void;
  close(): void;
}

export async function openProxy(target: number): Promise<Proxy> {
  const open = new Set<Socket>();
  let refused: ((first: Buffer | string) => void) | null = null;
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    return socket;
  };
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  const server = createServer((socket) => {
    keep(socket).once('data', (first) => {
      if (refused) {
        refused(first);
        socket.destroy();
        return;
      }
      const upstream = keep(connect(target, '127.0.0.1'));
      upstream.write(first);
      socket.pipe(upstream).pipe(socket);
      socket.on('close', () => upstream.destroy());
      upstream.on('close', () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port, // it listens on a port
    cut,
    refuse: (text, times) =>
      new Promise((resolve) => {
        let count = 0;
        refused = (first) => {
          if (Buffer.from(first).includes(text) && ++count === times) resolve();
        };
        cut();
      }),
    accept() {
      refused = null;
    },
    close() {
      cut();
      server.close();
    },
  };
}
