/**
 * Single writes and syncs fail in turn under load: nothing answered is lost, and the gateway goes
 * on.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { DiskFiles } from '../../src/store/files/disk.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { startGateway } from '../support/gateway.ts';
import { findLost, startLoad } from './nemesis/load.ts';
import { inject, whyNoStrace } from './nemesis/strace.ts';

const why = whyNoStrace();
if (why) process.stderr.write(`Failing writes and syncs are left out: ${why}\n`);

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/**
 * Which call fails, and the how manieth of its kind. A plus: every later one too, as on a full
 * disk.
 */
const sweeps = [
  { what: 'a sync', calls: ['fsync:error=EIO'], whens: ['1', '2', '3', '4', '5', '6', '1+2', '1+'] },
  { what: 'a write, for want of room', calls: ['pwrite64:error=ENOSPC'], whens: ['1', '2', '3', '5', '8', '13', '1+7', '1+'] },
  { what: 'a write, for a broken disk', calls: ['pwrite64:error=EIO'], whens: ['1', '2', '3', '5', '8', '13', '1+7', '1+'] },
] as const;

describe.skipIf(why !== null).each(sweeps)('When $what fails', ({ calls, whens }) => {
  test('no answered change is lost, requests are told to try again, and the gateway goes on (P1, P12)', {
    timeout: 120_000,
  }, async () => {
    const database = await createSqliteDatabase();
    ending.push(() => database.remove());
    const gateway = await startGateway({ database, flags: ['--aggregator', 'off'] });
    ending.push(() => gateway.stop());
    const paths = [database.file, `${database.file}-wal`];
    const load = await startLoad({ target: { url: gateway.url, token: gateway.adminKey } });
    ending.push(() => load.stop());
    const traces = createFolder('traces');
    for (const [i, when] of whens.entries()) {
      await load.more(10);
      const injection = await inject(
        gateway.pid,
        join(traces, String(i)),
        calls.map((call) => `${call}:when=${when}`),
        paths,
      );
      // The failure may be in a checkpoint, which no request notices.
      while (injection.happened() === 0) await pause(20);
      await injection.detach();
      // It goes on without a restart.
      await load.more(10);
      // A new process finds the same data.
      if (i % 4 === 3) await gateway.restart();
    }
    await load.more(20);
    await load.stop();
    await gateway.kill('SIGKILL');
    expect(load.unavailable()).toBeGreaterThan(0);
    expect(load.strange).toEqual([]);
    expect(gateway.output()).not.toMatch(/unhandled|uncaught/i);
    const store = await database.open();
    expect(await findLost(store, new DiskFiles(join(database.folder, 'fragments')), load.answered)).toEqual([]);
    const damage = await store.read.db.all<{ integrity_check: string }>('pragma integrity_check');
    expect(damage).toEqual([{ integrity_check: 'ok' }]);
  });
});
