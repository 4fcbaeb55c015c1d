/** Files of a gateway are accessible only to its user, even if they were open before (P16). */
import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { closeToOthers } from '../../../src/store/files/owner-only.ts';
import { createSqliteDatabase } from '../../support/databases.ts';
import { createFolder } from '../../support/folders.ts';
import { startGateway } from '../../support/gateway.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** Entries of the folder that are open to others, including itself. Links are not followed. */
function openIn(folder: string): string[] {
  const inner = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return ['', ...inner].filter((name) => {
    const found = lstatSync(join(folder, name));
    return !found.isSymbolicLink() && (found.mode & 0o077) !== 0;
  });
}

/** A data folder as earlier versions left it. */
function leaveOpen(folder = createFolder('open')): string {
  mkdirSync(join(folder, 'fragments', 'ab'), { recursive: true });
  mkdirSync(join(folder, 'agent', 'steps'), { recursive: true });
  const files = [
    'trainyard.sqlite',
    'trainyard.sqlite-wal',
    'trainyard.sqlite.lock',
    'credentials.json',
    'fragments/ab/frag_1-abc',
    'agent/device.json',
  ];
  for (const name of files) writeFileSync(join(folder, name), '');
  for (const name of ['', 'fragments', 'fragments/ab', 'agent', 'agent/steps']) chmodSync(join(folder, name), 0o755);
  for (const name of files) chmodSync(join(folder, name), 0o644);
  return folder;
}

describe('A data folder that is open to other users', () => {
  test('is closed, with all that is in it, and told (P16)', () => {
    const folder = leaveOpen();
    const closed = closeToOthers(folder);
    expect(openIn(folder)).toEqual([]);
    expect(closed).toContain(`${folder} (755)`);
    expect(closed).toContain(`${join(folder, 'trainyard.sqlite')} (644)`);
    expect(closed).toHaveLength(11);
    expect(closeToOthers(folder)).toEqual([]);
  });

  test('is closed by way of a link to it, and a store by way of a link to that (P16)', () => {
    const folder = leaveOpen();
    const place = createFolder('links');
    symlinkSync(folder, join(place, 'data'));
    closeToOthers(join(place, 'data'));
    expect(openIn(folder)).toEqual([]);
    const elsewhere = leaveOpen();
    const linked = createFolder('linked');
    symlinkSync(join(elsewhere, 'trainyard.sqlite'), join(linked, 'trainyard.sqlite'));
    closeToOthers(linked);
    expect(openIn(elsewhere).filter((name) => name.startsWith('trainyard'))).toEqual([]);
  });

  test('that holds what is not the gateway’s stays open for that, and what is the gateway’s is closed (P16)', () => {
    const folder = leaveOpen();
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    chmodSync(join(folder, 'notes.txt'), 0o644);
    closeToOthers(folder);
    expect(openIn(folder)).toEqual(['', 'notes.txt']);
    const shared = createFolder('shared');
    chmodSync(shared, 0o1777);
    closeToOthers(shared);
    expect(modeOf(shared)).toBe('1777');
  });

  test('a link in it is not followed (P16)', () => {
    const folder = leaveOpen();
    const eviction = join(createFolder('eviction'), 'file');
    writeFileSync(eviction, '');
    chmodSync(eviction, 0o644);
    symlinkSync(eviction, join(folder, 'fragments', 'zz'));
    symlinkSync(eviction, join(folder, 'trainyard.sqlite-shm'));
    closeToOthers(folder);
    expect(modeOf(eviction)).toBe('644');
  });
});

test.each([0o000, 0o022, 0o777])(
  'a gateway started with the umask %o writes for its user alone, and its agent as well (P16)',
  async (umask) => {
    const database = await createSqliteDatabase();
    ending.push(() => database.remove());
    chmodSync(database.folder, 0o755);
    const before = () => ['/bin/sh', '-c', `umask ${umask.toString(8)}; exec "$@"`, 'sh'];
    const gateway = await startGateway({ database, command: 'up', before });
    ending.push(() => gateway.kill('SIGTERM'));
    expect(openIn(database.folder)).toEqual([]);
    expect(gateway.output()).toContain(`${database.folder} (755)`);
  },
);
