/**
 * What travels with `submit --code`, and in which bytes: the same as with the Python package's
 * `code=`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packCode } from '../../../src/cli/code/folder.ts';
import type { GitState } from '../../../src/cli/code/git.ts';
import { UsageError } from '../../../src/cli/io.ts';
import { hasPython, unlessPython } from '../../python/interpreters.ts';
import { runPython } from '../../python/running.ts';
import { createFolder } from '../../support/folders.ts';
import { folderOf, git, repositoryOf } from './folders.ts';

const signal = new AbortController().signal;
const MOST = 10_000_000;

function committed(folder: string): string {
  git(folder, 'add', '.');
  git(folder, 'commit', '--quiet', '--message', 'first');
  return folder;
}

/** What was packed, and the listing of the machine's own tar. */
async function pack(folder: string, most = MOST) {
  const packed = await packCode(folder, most, signal);
  const bytes = readFileSync(packed.path);
  expect(bytes.length).toBe(packed.sizeBytes);
  const lines = execFileSync('tar', ['--list', '--verbose', '--numeric-owner', '--file', packed.path], {
    encoding: 'utf8',
    env: { TZ: 'UTC', LC_ALL: 'C.UTF-8' },
  });
  await packed.remove();
  const listed = lines
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  return { ...packed, bytes, lines: listed, names: listed.map((words) => words.slice(5).join(' ')) };
}

const problemOf = async (folder: string, most = MOST): Promise<string> => {
  const error = await packCode(folder, most, signal).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(UsageError);
  return error instanceof Error ? error.message : '';
};

const LONG = `${'deep/'.repeat(30)}file.txt`;

describe('A folder without a repository', () => {
  test('is packed in the order of its names, without owners, times or other modes', async () => {
    const folder = folderOf({ 'b.py': 'b', 'a/z.txt': '', 'a.py': 'aa', 'B.txt': '', 'ä.txt': 'umlaut', [LONG]: 'long' });
    chmodSync(join(folder, 'b.py'), 0o700);
    const first = await pack(folder);
    expect(first.lines.map((words) => words.slice(0, 5))).toEqual(
      ['B.txt', 'a.py', 'a/z.txt', 'b.py', LONG, 'ä.txt'].map((name) => [
        name === 'b.py' ? '-rwxr-xr-x' : '-rw-r--r--',
        '0/0',
        String(readFileSync(join(folder, name)).length),
        '1970-01-01',
        '00:00',
      ]),
    );
    expect(first.names).toEqual(['B.txt', 'a.py', 'a/z.txt', 'b.py', LONG, 'ä.txt']);
    utimesSync(join(folder, 'a.py'), new Date(), new Date());
    chmodSync(join(folder, 'a.py'), 0o600);
    expect((await pack(folder)).sha256).toBe(first.sha256);
    writeFileSync(join(folder, 'a.py'), 'ab');
    expect((await pack(folder)).sha256).not.toBe(first.sha256);
    expect(first.git).toBeNull();
  });

  test('is packed without what .trainyardignore leaves out, and without .git', async () => {
    const folder = folderOf({
      '.trainyardignore': 'data/\n*.log\n!keep.log\n',
      'data/x': '',
      'a.log': '',
      'keep.log': '',
      'm/b.log': '',
      'm/c.py': '',
    });
    mkdirSync(join(folder, 'm', '.git'));
    writeFileSync(join(folder, 'm', '.git', 'config'), '');
    expect((await pack(folder)).names).toEqual(['.trainyardignore', 'keep.log', 'm/c.py']);
  });

  test('has the content of a file that a link within it names', async () => {
    const folder = folderOf({ 'a/x.txt': 'content' });
    symlinkSync('a/x.txt', join(folder, 'link.txt'));
    const { names, lines } = await pack(folder);
    expect([names, lines[1]?.[2]]).toEqual([['a/x.txt', 'link.txt'], '7']);
  });

  test('is refused with the name of a file that cannot travel', async () => {
    const linked = (target: string) => {
      const folder = folderOf({ 'a.py': '' });
      symlinkSync(target, join(folder, 'link'));
      return folder;
    };
    expect(await problemOf(linked('/etc/passwd'))).toContain('"link" is a link that leads out of the folder.');
    expect(await problemOf(linked('nowhere'))).toContain('"link" is a link to nothing.');
    expect(await problemOf(linked('.'))).toContain('"link" is a link to a folder.');
    const piped = folderOf({ 'a.py': '' });
    execFileSync('mkfifo', [join(piped, 'pipe')]);
    expect(await problemOf(piped)).toContain('"pipe" is not a plain file.');
    const latin = folderOf({ 'a.py': '' });
    writeFileSync(Buffer.concat([Buffer.from(`${latin}/`), Buffer.from([0x66, 0xfc])]), '');
    expect(await problemOf(latin)).toContain('has a name that is not UTF-8.');
    expect(await problemOf(folderOf({ 'a.py': '', 'fragments/x': '' }))).toContain('"fragments/x" is in a folder named fragments');
    expect(await problemOf(folderOf({ 'Read.me': '', 'read.me': '' }))).toContain('"read.me" differs from "Read.me" only by case');
    expect(await problemOf(folderOf({ 'a\\b': '' }))).toContain('has a backslash');
    expect(await problemOf(folderOf({}))).toContain('has no files to send');
    expect(await problemOf('/nowhere')).toContain('there is no folder /nowhere');
  });

  test('is refused with its largest files if it has more bytes than the gateway takes', async () => {
    const files = Object.fromEntries([...Array(7).keys()].map((i) => [`f${i}`, 'x'.repeat(i * 1_000)]));
    const problem = await problemOf(folderOf(files), 20_000);
    expect(problem).toMatch(/has 26\.1 kB in 7 files\. The gateway takes 20\.0 kB\./);
    expect(
      problem
        .split('\n')
        .slice(1)
        .map((line) => line.trim()),
    ).toEqual([6, 5, 4, 3, 2].map((i) => `${i}.00 kB  f${i}`));
  });
});

describe('A folder in a repository', () => {
  test('has what git tracks and what it could add, as it is on disk', async () => {
    const folder = repositoryOf({
      '.gitignore': 'out/\n',
      'a.py': '1',
      'gone.py': '',
      'out/x': '',
      '.trainyardignore': '*.csv\n',
      'big.csv': '',
    });
    git(folder, 'add', '.');
    git(folder, 'commit', '--quiet', '--message', 'first');
    expect(await pack(folder)).toMatchObject({
      git: { branch: 'main', isDirty: false },
      names: ['.gitignore', '.trainyardignore', 'a.py', 'gone.py'],
    });
    rmSync(join(folder, 'gone.py'));
    writeFileSync(join(folder, 'new.py'), '');
    const changed = await pack(folder);
    expect(changed.names).toEqual(['.gitignore', '.trainyardignore', 'a.py', 'new.py']);
    expect(changed.git).toEqual({ commit: git(folder, 'rev-parse', 'HEAD').trim(), branch: 'main', isDirty: true });
  });

  test('may be a part of it, has no branch if none is checked out, and no state before the first commit', async () => {
    const folder = repositoryOf({ 'src/a.py': '', 'other/b.py': '' });
    expect(await pack(join(folder, 'src'))).toMatchObject({ names: ['a.py'], git: null });
    git(folder, 'add', '.');
    git(folder, 'commit', '--quiet', '--message', 'first');
    git(folder, 'checkout', '--quiet', '--detach');
    writeFileSync(join(folder, 'other/b.py'), 'changed');
    expect((await pack(join(folder, 'src'))).git).toMatchObject({ branch: null, isDirty: false });
  });

  test('has the files of the repositories within it', async () => {
    const folder = repositoryOf({ 'a.py': '' });
    mkdirSync(join(folder, 'lib'));
    git(join(folder, 'lib'), 'init', '--quiet');
    writeFileSync(join(folder, 'lib', 'b.py'), '');
    writeFileSync(join(folder, 'lib', '.gitignore'), 'no\n');
    writeFileSync(join(folder, 'lib', 'no'), '');
    expect((await pack(folder)).names).toEqual(['a.py', 'lib/.gitignore', 'lib/b.py']);
  });
});

describe.skipIf(!hasPython)(`The Python package${unlessPython}`, () => {
  const PACK = `
import sys
from pathlib import Path
from trainyard._folder import pack_code
packed = pack_code(sys.argv[1], Path(sys.argv[2]), ${MOST})
print(packed.size, packed.sha256, *(packed.git or ()))
`;
  test.each([
    [
      'a plain folder',
      () =>
        folderOf({
          'b.py': 'b',
          'a/z.txt': 'x'.repeat(1_000),
          'ä.txt': '',
          [LONG]: 'long',
          [`${'ü'.repeat(60)}`]: '',
          '.trainyardignore': 'z*\n',
        }),
    ],
    [
      'a repository',
      () => committed(repositoryOf({ '.gitignore': 'out\n', 'a.py': 'print()', out: '', '.trainyardignore': '/x/**\n', 'x/y/z': '' })),
    ],
  ])('packs %s into the same bytes as the command line', async (_, make) => {
    const folder = make();
    chmodSync(join(folder, '.trainyardignore'), 0o755);
    const target = join(createFolder('packed'), 'code.tar');
    const ran = await runPython(['-c', PACK, folder, target]);
    expect(ran.exitCode, ran.output).toBe(0);
    const packed = await pack(folder);
    expect(ran.output.trim()).toBe([packed.sizeBytes, packed.sha256, ...gitWords(packed.git)].join(' '));
    expect(readFileSync(target).equals(packed.bytes)).toBe(true);
  });

  const gitWords = (git: GitState | null) => (git === null ? [] : [git.commit, git.branch, git.isDirty ? 'True' : 'False']);

  test('refuses what the command line refuses', async () => {
    const folder = folderOf({ 'a.py': '' });
    symlinkSync('/etc/passwd', join(folder, 'link'));
    const target = join(createFolder('packed'), 'code.tar');
    const ran = await runPython(['-c', PACK, folder, target]);
    expect(ran.exitCode).toBe(1);
    expect(ran.output).toContain("ValueError: 'link' is a link that leads out of the folder.");
  });
});
