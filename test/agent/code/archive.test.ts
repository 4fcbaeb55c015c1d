/** Archives of code that anyone may have made, unpacked on a device. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BadArchive, unpack } from '../../../src/agent/code/archive.ts';
import { tarEnd, tarHeader, tarPadding } from '../../../src/cli/code/tar.ts';
import { createFolder } from '../../support/folders.ts';

const signal = new AbortController().signal;

/** Unpacks these bytes. Resolves with the folder. */
async function unpackBytes(bytes: Uint8Array): Promise<string> {
  const folder = createFolder('unpacked');
  const path = join(createFolder('archive'), 'code.tar');
  writeFileSync(path, bytes);
  const file = await open(path);
  try {
    await unpack(file, folder, signal);
  } finally {
    await file.close();
  }
  return folder;
}

/** Why the bytes are refused, and what lies in the folder and beside it then. */
async function refusalOf(...parts: readonly Buffer[]): Promise<string> {
  const error = await unpackBytes(Buffer.concat(parts)).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(BadArchive);
  return error instanceof Error ? error.message : '';
}

function file(path: string, content = 'x'): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([tarHeader({ path, sizeBytes: bytes.length, isExecutable: false }), bytes, tarPadding(bytes.length)]);
}

/** The same header with other bytes, and a checksum that fits them. */
function altered(header: Buffer, changes: Readonly<Record<number, string>>): Buffer {
  const copy = Buffer.from(header);
  for (const [at, text] of Object.entries(changes)) copy.write(text, Number(at), 'latin1');
  copy.fill(' ', 148, 156);
  const sum = copy.subarray(0, 512).reduce((sum, byte) => sum + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

const typed = (path: string, type: string) => altered(tarHeader({ path, sizeBytes: 0, isExecutable: false }), { 156: type });

describe('An archive of code', () => {
  test('is unpacked with its folders, modes, long names and names in any script', async () => {
    const long = `${'deep/'.repeat(30)}file.txt`;
    const run = tarHeader({ path: 'a/run', sizeBytes: 0, isExecutable: true });
    const folder = await unpackBytes(
      Buffer.concat([file('a/b/c.py', 'print(1)'), run, file('ä/日本.txt', 'text'), file(long, 'long'), tarEnd]),
    );
    expect(readFileSync(join(folder, 'a/b/c.py'), 'utf8')).toBe('print(1)');
    expect(readFileSync(join(folder, 'ä/日本.txt'), 'utf8')).toBe('text');
    expect(readFileSync(join(folder, long), 'utf8')).toBe('long');
    expect(['a/run', 'a/b/c.py', 'a'].map((path) => (statSync(join(folder, path)).mode & 0o777).toString(8))).toEqual([
      '755',
      '644',
      '755',
    ]);
  });

  test('may be one that tar or git has made', async () => {
    const source = createFolder('source');
    mkdirSync(join(source, 'p'.repeat(60), 'q'.repeat(60)), { recursive: true });
    writeFileSync(join(source, 'p'.repeat(60), 'q'.repeat(60), 'a.py'), 'content');
    for (const format of ['ustar', 'pax']) {
      const bytes = execFileSync('tar', ['--create', `--format=${format}`, '--directory', source, '.']);
      const folder = await unpackBytes(bytes);
      expect(readFileSync(join(folder, 'p'.repeat(60), 'q'.repeat(60), 'a.py'), 'utf8')).toBe('content');
    }
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd: source });
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '--message', 'first');
    expect(readdirSync(await unpackBytes(git('archive', '--format=tar', 'HEAD')))).toEqual(['p'.repeat(60)]);
  });

  test.each([
    ['../a', 'The file "../a" leads out of the folder.'],
    ['/etc/a', 'The file "/etc/a" leads out of the folder.'],
    ['a/../../b', 'The file "a/../../b" leads out of the folder.'],
    ['a//b', 'The file "a//b" leads out of the folder.'],
    ['C:\\a', 'has a backslash, a colon or a control character in its name.'],
    ['.trainyard/settings.json', 'is in a folder named .trainyard, which a step has for its own files.'],
    ['Fragments/a', 'is in a folder named fragments, which a step has for its own files.'],
    [`${'n'.repeat(256)}`, 'has too long a name.'],
  ])('with the path %s is refused', async (path, message) => {
    expect(await refusalOf(file('a.py'), file(path), tarEnd)).toContain(message);
  });

  test.each([
    ['1', '"a" is a hard link.'],
    ['2', '"a" is a symbolic link.'],
    ['3', '"a" is a device.'],
    ['4', '"a" is a device.'],
    ['6', '"a" is a named pipe.'],
    ['S', '"a" is of a kind that is not known.'],
    ['L', '"a" is of a kind that is not known.'],
  ])('with an entry of type %s is refused', async (type, message) => {
    expect(await refusalOf(typed('a', type), tarEnd)).toBe(message);
  });

  test('with a link, and a file behind it, writes nothing outside its folder', async () => {
    const outside = createFolder('outside');
    const source = createFolder('source');
    symlinkSync(outside, join(source, 'link'));
    const linked = execFileSync('tar', ['--create', '--format=ustar', '--directory', source, 'link']);
    expect(await refusalOf(linked.subarray(0, 512), file('link/a'), tarEnd)).toBe('"link" is a symbolic link.');
    expect(readdirSync(outside)).toEqual([]);
  });

  test('with a path that comes twice, by any case, or is a file and a folder, is refused', async () => {
    expect(await refusalOf(file('a.py'), file('a.py'), tarEnd)).toBe('The file "a.py" comes twice.');
    expect(await refusalOf(file('Makefile'), file('makefile'), tarEnd)).toBe('The paths "Makefile" and "makefile" differ only by case.');
    expect(await refusalOf(file('A/x'), file('a/y'), tarEnd)).toBe('The paths "A" and "a" differ only by case.');
    expect(await refusalOf(file('a'), file('a/b'), tarEnd)).toBe('The path "a" is both a file and a folder.');
    expect(await refusalOf(file('a/b'), file('a'), tarEnd)).toBe('The path "a" is both a file and a folder.');
    expect(await refusalOf(file('\u00e4'), file('a\u0308'), tarEnd)).toContain('differ only by case.');
  });

  test('that claims more bytes than it has, or has no end, is refused', async () => {
    const huge = altered(tarHeader({ path: 'a', sizeBytes: 0, isExecutable: false }), { 124: '77777777777' });
    expect(await refusalOf(huge, tarEnd)).toBe('The file "a" is longer than the archive.');
    expect(await refusalOf(file('a'))).toBe('It has no end: a part of it is missing.');
    expect(await refusalOf(file('a', 'x'.repeat(5_000)).subarray(0, 1_536))).toBe('The file "a" is longer than the archive.');
    expect(await refusalOf(Buffer.alloc(100))).toBe('It has no end: a part of it is missing.');
  });

  test('that is damaged, compressed or of another format is refused', async () => {
    const damaged = file('a');
    damaged[0] = 0x62;
    expect(await refusalOf(damaged, tarEnd)).toBe('A header is damaged: its checksum is wrong.');
    expect(await refusalOf(Buffer.alloc(1_024, 0x1f))).toBe('It is not a tar archive in the format ustar or pax.');
    expect(await refusalOf(altered(file('a').subarray(0, 512), { 257: 'ustar  \0' }), tarEnd)).toBe(
      'It is not a tar archive in the format ustar or pax.',
    );
    expect(await refusalOf(altered(tarHeader({ path: 'a', sizeBytes: 0, isExecutable: false }), { 124: '\x80' }), tarEnd)).toBe(
      'A header is damaged: it has no valid number.',
    );
    expect(await refusalOf(altered(file('a').subarray(0, 512), { 0: '\xff' }), tarEnd)).toBe('A path is not UTF-8.');
  });

  test('whose extended header gives another size, a link or too much is refused', async () => {
    const pax = (record: string, type = 'x') =>
      Buffer.concat([
        altered(tarHeader({ path: 'p', sizeBytes: record.length, isExecutable: false }), { 156: type }),
        Buffer.from(record),
        tarPadding(record.length),
      ]);
    expect(await refusalOf(pax('12 size=999\n'), file('a'), tarEnd)).toBe('An extended header has "size".');
    expect(await refusalOf(pax('14 linkpath=/\n'), file('a'), tarEnd)).toBe('An extended header has "linkpath".');
    expect(await refusalOf(pax('13 path=../a\n'), file('a'), tarEnd)).toBe('The file "../a" leads out of the folder.');
    expect(await refusalOf(pax('10 path=a\n', 'g'), file('a'), tarEnd)).toBe('A header gives several files one path.');
    expect(await refusalOf(pax('99 path=a\n'), file('a'), tarEnd)).toBe('An extended header is damaged.');
    expect(await refusalOf(pax(`${'x'.repeat(20_000)}`), file('a'), tarEnd)).toBe('An extended header is too long.');
  });
});
