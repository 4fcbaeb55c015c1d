/** A TCP proxy before a server on 127.0.0.1. A test can cut and refuse its connections. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  readonly port: number;
  /** Cuts all connections at once. */
  cut(): void;
  /**
   * Cuts all connections, and each new one at its first bytes. Resolves after `times` connections
   * whose first bytes contain `text`.
   */
  refuse(text: string, times: number): Promise<void>;
  /**
   * Forwards the next bytes that contain `text`. From then on no connection, old or new, brings an
   * answer, and none is closed: a network that swallows packets. Resolves with those bytes.
   */
  swallow(text: string): Promise<void>;
  /** Cuts all connections, and from then on each whose first bytes contain `text`. */
  block(text: string): void;
  /** Lets new connections through again. */
  accept(): void;
  close(): void;
}

export async function openProxy(target: number): Promise<Proxy> {
  const open = new Set<Socket>();
  let blocked: string | null = null;
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
  const hushes = new Set<() => void>();
  let isHushed = false;
  let notice: (bytes: Buffer | string) => void = () => {};
  const server = createServer((socket) => {
    keep(socket).once('data', (first) => {
      refused?.(first);
      if (refused || (blocked !== null && Buffer.from(first).includes(blocked))) {
        socket.destroy();
        return;
      }
      const upstream = keep(connect(target, '127.0.0.1'));
      const hush = () => void upstream.unpipe(socket).resume();
      upstream.write(first);
      socket.pipe(upstream).pipe(socket);
      if (isHushed) hush();
      hushes.add(hush);
      notice(first);
      socket.on('data', (bytes) => notice(bytes));
      socket.on('close', () => {
        hushes.delete(hush);
        upstream.destroy();
      });
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
    swallow: (text) =>
      new Promise((resolve) => {
        notice = (bytes) => {
          if (!Buffer.from(bytes).includes(text)) return;
          isHushed = true;
          for (const hush of hushes) hush();
          resolve();
        };
      }),
    block(text) {
      blocked = text;
      cut();
    },
    accept() {
      refused = null;
      blocked = null;
      isHushed = false;
      notice = () => {};
    },
    close() {
      cut();
      server.close();
    },
  };
}
