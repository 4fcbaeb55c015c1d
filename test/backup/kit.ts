/**
 * Shared by the tests of backups: a store with a row of every kind, and ways to take, restore and
 * compare backups.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { restoreBackup } from '../../src/backup/restore.ts';
import { takeBackup } from '../../src/backup/take.ts';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportTelemetry } from '../../src/domain/claims/progress.ts';
import { createFragment } from '../../src/domain/files/fragments.ts';
import { DiskFiles } from '../../src/store/files/disk.ts';
import type { FileStore } from '../../src/store/files/file-store.ts';
import type { StoreLocation } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../support/seed.ts';

type Located = Pick<TestDatabase, 'folder' | 'url'>;
const locationOf = ({ folder, url }: Located): StoreLocation => ({ dataDir: folder, databaseUrl: url });

export interface Planted {
  readonly store: Store;
  readonly seed: Seed;
  readonly files: FileStore;
  /** Runs, with entries on every stream. */
  readonly running: SeededJob;
  readonly leaseToken: string;
  readonly ended: SeededJob;
  readonly fragmentId: string;
}

/** Text that careless handling in JSON, SQL or lines would damage. */
const hard = "line\nbreak\r\u2028 “αβγ” 🚂 ' ; drop \\u0041 \\ \t";

export async function plant(database: TestDatabase): Promise<Planted> {
  const store = await database.open();
  const seed = await plantSeed(store);
  const files = new DiskFiles(join(database.folder, 'fragments'));
  const domain = { ...seed.domain, files };
  const ended = await seed.createJob(2, { name: hard.replaceAll(/[\n\r\t\u2028]/g, ' '), description: hard });
  for (const number of [0, 1]) {
    const { lease } = await seed.claim(ended, number);
    await completeStep(domain, admin, { leaseToken: lease.token });
  }
  const running = await seed.createJob(1, { settings: { z: 1, a: { nested: [null, true, hard, 1e21, 0.1] } } });
  const leaseToken = (await seed.claim(running, 0, await seed.registerDevice(), 3_600)).lease.token;
  await appendLog(domain, admin, { leaseToken, chunks: [{ offset: 0, text: hard, stream: 'STDERR' }] });
  const values = [0.1, -0, 1e308, 5e-324, 3, Number.MAX_SAFE_INTEGER];
  const metrics = values.map((value, i) => ({ name: `m${i}`, value, iteration: i === 0 ? Number.MAX_SAFE_INTEGER : null }));
  await reportMetrics(domain, admin, { leaseToken, metrics });
  await reportTelemetry(domain, admin, {
    leaseToken,
    samples: [{ cpu: 0.5, memoryMb: 1_024.25, at: new Date('2026-03-29T01:59:59.987Z') }],
  });
  const { fragment } = await createFragment(domain, admin, { jobId: running.job.id, filename: 'notes.txt', type: 'DATA', text: hard });
  await createFragment(domain, admin, { jobId: running.job.id, filename: 'empty.bin', type: 'DATA', text: '' });
  await createFragment(domain, admin, { jobId: running.job.id, filename: 'announced.bin', type: 'DATA' });
  return { store, seed: { ...seed, domain }, files, running, leaseToken, ended, fragmentId: fragment.id };
}

const { signal } = new AbortController();
export const take = (database: Located, to = join(createFolder('backup'), 'taken'), say = (_line: string) => {}) =>
  takeBackup(locationOf(database), to, { isLinked: true, signal, say, now: () => new Date('2026-06-01T00:00:00Z') }).then((manifest) => ({
    folder: to,
    manifest,
  }));
export const restore = (from: string, database: Located, endsLeases = false) =>
  restoreBackup(from, locationOf(database), { endsLeases, signal, say: () => {} });

/**
 * Every row of a store except what a restore changes: its identity, its place, and up to where old
 * cursors are valid.
 */
export async function readStore({ read, tables }: Store): Promise<Record<string, readonly string[]>> {
  const all: Record<string, readonly string[]> = {};
  for (const [name, table] of Object.entries(tables)) {
    const rows: Record<string, unknown>[] = await read.db.select().from(table);
    all[name] = rows
      .filter(({ key }) => !['identity', 'parent', 'origin'].includes(String(key)))
      .map(({ inherited: _, ...row }) => JSON.stringify(row, (_key, value) => (Object.is(value, -0) ? '-0' : value)))
      .sort();
  }
  return all;
}

/** Resolves with the signal that ended the process. */
export function cutOff(
  command: 'backup' | 'restore',
  folder: string,
  { folder: dataDir, url }: TestDatabase,
  line: string,
): Promise<string | null> {
  const program = fileURLToPath(new URL('cut-off.ts', import.meta.url));
  const child = fork(program, [command, folder, dataDir, url ?? '', line], { stdio: 'inherit' });
  return new Promise((resolve) => child.once('close', (_code, by) => resolve(by)));
}
