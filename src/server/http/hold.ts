import { createServer } from 'node:net';

/**
 * Takes addresses that are to be listened on later. Until they are released, connections to them
 * are closed at once. Rejects with Node's error where one cannot be listened on.
 */
export async function holdAddresses(addresses: readonly { readonly host: string; readonly port: number }[]): Promise<() => Promise<void>> {
  const held: { close(): Promise<void> }[] = [];
  const release = async () => {
    await Promise.all(held.splice(0).map((each) => each.close()));
  };
  try {
    for (const address of addresses) held.push(await hold(address));
  } catch (error) {
    await release();
    throw error;
  }
  return release;
}

function hold({ host, port }: { readonly host: string; readonly port: number }): Promise<{ close(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve({ close: () => new Promise((done) => server.close(() => done())) }));
  });
}
