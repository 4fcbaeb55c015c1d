/**
 * The place of a chaos run within vitest: a folder that is removed with it, processes that end with
 * it, a database of its own.
 */
import type { ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { createPostgresDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { noteOf } from '../support/run-folder.ts';
import type { DatabaseKind } from './databases.ts';

export async function openPlace(kind: DatabaseKind) {
  const database = kind === 'postgres' ? await createPostgresDatabase() : null;
  return { folder: createFolder('chaos'), databaseUrl: database?.url ?? null, onSpawn };
}

function onSpawn(child: ChildProcess): void {
  const note = join(inject('runFolder'), noteOf(child.pid ?? 0));
  writeFileSync(note, '');
  child.once('close', () => rmSync(note, { force: true }));
}
