/** Rewritten files keep their contents, and folders are created with their parents. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder, writeAnew } from '../../../src/store/files/durable.ts';
import { createFolder } from '../../support/folders.ts';

test('a file that is written anew keeps every byte, and its place', () => {
  const path = join(createFolder(), 'wal');
  // More than is copied at a time, and not a multiple of it.
  const bytes = Buffer.alloc(2_500_001, 'what was there');
  writeFileSync(path, bytes);
  const { ino } = statSync(path);
  writeAnew(path);
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(statSync(path).ino).toBe(ino);
});

test('a file that is not there is left so', () => {
  const path = join(createFolder(), 'wal');
  writeAnew(path);
  expect(existsSync(path)).toBe(false);
});

test('a folder is made with those above it, and may be there already', () => {
  const path = join(createFolder(), 'a', 'b', 'c');
  makeFolder(path);
  makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
});
