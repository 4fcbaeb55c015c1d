/** The remains of uploads that broke off with their process. */
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskFiles } from '../../../src/store/files/disk.ts';
import { createFolder } from '../../support/folders.ts';

const filesOf = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('/'));

test('is swept once nothing was written to it for long, while uploads go on here and elsewhere', async () => {
  const folder = createFolder('files');
  const files = new DiskFiles(folder);
  const arrived = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  async function* bytes() {
    yield Buffer.from('first ');
    arrived.resolve();
    await goOn.promise;
    yield Buffer.from('last');
  }
  const receiving = files.receive('frag_00000000000000000000000000', bytes(), 1_000);
  await arrived.promise;
  const [here = ''] = filesOf(folder);
  const [broken, elsewhere] = ['broken', 'elsewhere'].map((name) => join('00', `${name}.part`));
  for (const name of [broken, elsewhere]) writeFileSync(join(folder, name ?? ''), '');
  const longAgo = new Date('2026-01-01T00:00:00Z');
  for (const name of [here, broken]) utimesSync(join(folder, name ?? ''), longAgo, longAgo);
  await files.sweep(new Date('2026-01-01T00:00:01Z'));
  expect(filesOf(folder).sort()).toEqual([elsewhere, here].sort());
  goOn.resolve();
  const { file, keep } = await receiving;
  await keep();
  expect(file.sizeBytes).toBe(10);
  await files.sweep(null);
  expect(filesOf(folder)).toEqual([expect.stringMatching(new RegExp(`${file.sha256}$`))]);
});
