/** What `trainyard backup` and `restore` refuse: one line with the reason, and exit code 2. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackupRefused } from '../../src/backup/manifest.ts';
import { StoreUnusable } from '../../src/store/store.ts';
import { runCommand, startCommand } from '../cli/processes.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { refusalOf } from '../support/ground.ts';
import { plant, restore, take } from './kit.ts';

describe('The commands for backups', () => {
  let source: TestDatabase;
  let backup: string;
  beforeAll(async () => {
    source = await createSqliteDatabase();
    await plant(source);
    backup = (await take(source)).folder;
  });
  afterAll(() => source.remove());

  /** A damaged copy of the backup. */
  function spoiled(spoil: (folder: string) => void): string {
    const folder = join(createFolder('spoiled'), 'backup');
    cpSync(backup, folder, { recursive: true });
    spoil(folder);
    return folder;
  }
  const edit = (change: (manifest: Record<string, unknown>) => unknown) => (folder: string) => {
    const path = join(folder, 'manifest.json');
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
  };
  const fileOf = (folder: string) => {
    const found = readdirSync(join(folder, 'fragments'), { recursive: true, withFileTypes: true }).find(
      (entry) => entry.isFile() && statSync(join(entry.parentPath, entry.name)).size > 0,
    );
    return join(found?.parentPath ?? '', found?.name ?? '');
  };

  const unfit: Readonly<Record<string, readonly [spoil: (folder: string) => void, says: RegExp]>> = {
    'without a manifest': [(folder) => rmSync(join(folder, 'manifest.json')), /is not a backup, or an unfinished one/],
    'whose manifest is cut off': [(folder) => truncateSync(join(folder, 'manifest.json'), 300), /manifest\.json is damaged/],
    'of a newer format': [edit((manifest) => ({ ...manifest, format: 2 })), /made by a newer version of Trainyard \(format 2\)/],
    'of a newer version': [
      edit((manifest) => ({ ...manifest, migrations: 1_000 })),
      /made by a newer version of Trainyard; restore it with/,
    ],
    'of no format': [edit(({ format: _, ...manifest }) => manifest), /manifest\.json is damaged/],
    'whose manifest names what is no table': [
      edit((manifest) => ({ ...manifest, tables: [{ name: 'x"; drop', columns: [], rows: 0, sizeBytes: 0, sha256: '' }] })),
      /manifest\.json is damaged/,
    ],
    'of which a table is cut off': [
      (folder) => truncateSync(join(folder, 'tables/jobs.ndjson.gz'), 100),
      /jobs\.ndjson\.gz differs from what was written/,
    ],
    'of which a byte of a table differs': [
      (folder) => {
        const path = join(folder, 'tables/events.ndjson.gz');
        const bytes = readFileSync(path);
        bytes[40] = (bytes[40] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
      /events\.ndjson\.gz differs from what was written/,
    ],
    'without a table': [(folder) => rmSync(join(folder, 'tables/steps.ndjson.gz')), /steps\.ndjson\.gz is missing/],
    'of which a file differs': [(folder) => writeFileSync(fileOf(folder), 'something else'), /differs from what was written/],
    'without a file': [(folder) => rmSync(fileOf(folder)), /the file of fragment frag_\w+ is missing/],
  };
  test.each(Object.entries(unfit))('a backup %s is not restored, and leaves nothing behind', async (_, [spoil, says]) => {
    const folder = join(createFolder('target'), 'data');
    const refusal = await refusalOf(restore(spoiled(spoil), { folder, url: null }));
    expect(refusal).toBeInstanceOf(BackupRefused);
    expect(String(refusal)).toMatch(says);
    expect(String(refusal)).not.toContain('\n');
    expect(existsSync(folder)).toBe(false);
  });

  test('a backup is not restored over a store, and not written over anything that exists', async () => {
    const full = { folder: createFolder('full'), url: null };
    await restore(backup, full);
    const stored = readFileSync(join(full.folder, 'trainyard.sqlite'));
    const again = await refusalOf(restore(backup, full));
    expect(again).toBeInstanceOf(StoreUnusable);
    expect(String(again)).toMatch(/There is a store at \S+ already. Restore the backup into an empty data folder/);
    expect(readFileSync(join(full.folder, 'trainyard.sqlite')).equals(stored)).toBe(true);
    expect(String(await refusalOf(take(full, backup)))).toMatch(/exists already\. A backup needs a new folder\.$/);
  });

  test('a missing store, or a bad place for a backup, is reported in one line, and nothing is left', async () => {
    const folder = createFolder('nothing');
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'odd'));
    writeFileSync(join(folder, 'odd', 'trainyard.sqlite'), 'This is no database, however long one reads it. '.repeat(100));
    const taken = join(folder, 'taken');
    const nowhere = 'postgres://127.0.0.1:1/none';
    const cases: readonly (readonly [act: () => Promise<unknown>, says: RegExp])[] = [
      [() => take({ folder, url: null }, taken), /There is no store at/],
      [() => take({ folder: join(folder, 'odd'), url: null }, taken), /cannot be read: file is not a database/],
      [() => take(source, join(folder, 'file', 'taken')), /cannot be created/],
      [() => take({ folder, url: nowhere }, taken), /PostgreSQL cannot be used/],
      [() => restore(backup, { folder: join(folder, 'file'), url: null }), /file/],
      [() => restore(backup, { folder, url: nowhere }), /PostgreSQL cannot be used/],
    ];
    for (const [act, says] of cases) {
      const refusal = String(await refusalOf(act()));
      expect(refusal).toMatch(says);
      expect(refusal).not.toContain('\n');
    }
    expect(readdirSync(folder).sort()).toEqual(['file', 'odd']);
  });

  test('the commands report a refusal in one line, with exit code 2', async () => {
    const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [['restore', backup, '--data-dir', source.folder], /^trainyard restore: Another gateway is using \S+\.$/],
      [['restore', createFolder('empty')], /^trainyard restore: \S+ is not a backup, or an unfinished one: it has no manifest.json\.$/],
      [['backup'], /^trainyard backup: FOLDER is missing\.$/],
      [['backup', 'taken', '--jsn'], /^trainyard backup: There is no flag --jsn\. Did you mean --json\?$/],
      [['restore', backup, '--end-lease'], /^trainyard restore: There is no flag --end-lease\. Did you mean --end-leases\?$/],
    ];
    for (const [args, says] of cases) {
      const { code, stderr, stdout } = await runCommand(createFolder('elsewhere'), args, {});
      const lines = stderr
        .trim()
        .split('\n')
        .filter((line) => !/^(See|Usage:) /.test(line) && !line.startsWith('The backup of'));
      expect([code, stdout, lines]).toEqual([2, '', [expect.stringMatching(says)]]);
    }
  });

  test('a backup that is interrupted leaves nothing and says so', async () => {
    const parent = createFolder('stopped');
    const command = startCommand(parent, ['backup', join(parent, 'taken'), '--data-dir', source.folder], {});
    while (!command.stderr().includes('The tables follow') && readdirSync(parent).length === 0) await new Promise(setImmediate);
    command.kill('SIGINT');
    const code = await command.ended;
    // It may have finished already.
    if (code !== 0) {
      expect([code, command.stderr()]).toEqual([130, expect.stringContaining('The backup was stopped. It left nothing behind.')]);
      expect(readdirSync(parent)).toEqual([]);
    }
  });
});
