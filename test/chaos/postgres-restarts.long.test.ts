/** PostgreSQL goes away under two working gateways, and comes back. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { querySql } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { judge } from './chapter.ts';
import { type PostgresServer, startPostgres } from './databases.ts';
import { readNotes } from './notes.ts';
import { World } from './world.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

let world: World;
afterEach(() => world.close());

test('restarts and crashes of PostgreSQL, and terminated connections, break no promise and need no restart of a gateway (P1, P7)', {
  timeout: 180_000,
}, async () => {
  const databaseUrl = await server.create();
  world = await World.open({
    folder: createFolder('world'),
    databaseUrl,
    seed: 'restarts',
    gateways: 2,
    gateway: { flags: ['--aggregator', 'off'] },
  });
  for (const gateway of world.gateways) await gateway.start().ready;
  const pids = world.gateways.map(({ pid }) => pid);
  await world.makeProject();
  world.startClients('submitter', 1);
  world.startClients('worker', 2);
  world.startClients('subscriber', 2);
  const faults = [
    () => away('fast', 0),
    () => away('immediate', 1_500),
    () =>
      querySql(
        databaseUrl,
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
      ),
    // Only the connections that carry wake-ups.
    () => querySql(databaseUrl, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'trainyard wire'`),
    () => away('immediate', 0),
    () => away('fast', 2_000),
  ];
  for (const fault of faults) {
    await pause(1_500);
    await fault();
  }
  await pause(2_000);
  const unfinished = await world.drain();
  expect(world.gateways.map(({ pid }) => pid)).toEqual(pids);
  expect(unfinished).toEqual([]);
  expect(world.faults).toEqual([]);
  const { findings, extent } = await judge(world);
  // Wake-ups in flight are lost with their connection, and cost a safety poll.
  expect(findings.filter(({ says }) => !says.includes('its wake-up was lost'))).toEqual([]);
  expect(extent.acknowledged).toBeGreaterThan(20);
  // Requests made meanwhile are only told to try again.
  const codes = new Set(
    readNotes(world.notesDir).flatMap((note) => (note.kind === 'refused' ? [`${note.code} ${note.message.replace(/under .*/, '')}`] : [])),
  );
  expect([...codes].filter((code) => !code.startsWith('UNAVAILABLE'))).toEqual([]);
  for (const { output } of world.gateways) expect(output.split('\n').filter((line) => line.includes('INTERNAL_ERROR'))).toEqual([]);
});

async function away(how: 'fast' | 'immediate', milliseconds: number): Promise<void> {
  await server.interrupt(how);
  await pause(milliseconds);
  await server.resume();
  // No lease can be reclaimed without the database. For the checker this counts as a start of the
  // gateways.
  for (const { place } of world.gateways) world.notebook.write({ kind: 'fate', of: place.name, what: 'ready' });
}
