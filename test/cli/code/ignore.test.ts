/** `.trainyardignore` means what the same lines mean in .gitignore. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packCode } from '../../../src/cli/code/folder.ts';
import { hasPython } from '../../python/interpreters.ts';
import { folderOf, git, repositoryOf } from './folders.ts';

const signal = new AbortController().signal;
const MOST = 10_000_000;

describe('.trainyardignore', () => {
  const patterns = [
    ...[
      '*.log',
      '/top',
      'dir/',
      'a/b',
      'a/**',
      '**/deep',
      'x/**/y',
      'foo*bar',
      '?.txt',
      '[a-c].py',
      '[!a-c].md',
      '[]x].q',
      '\\#hash',
      '\\!bang',
    ],
    ...[
      'trail\\ ',
      'spaces   ',
      '# comment',
      '',
      '!keep.log',
      'a/!b',
      '**',
      '***/c',
      'a**b',
      '[',
      'end\\',
      '*',
      '!*/',
      '/*',
      '!/kept',
      'a.b',
      'ä*',
    ],
  ];
  const names = [
    'a',
    'b',
    'c',
    'y',
    'x',
    'top',
    'dir',
    'deep',
    'foobar',
    'foo_bar',
    'a.log',
    'keep.log',
    'z.txt',
    'b.py',
    'd.md',
    'a.md',
    'x.q',
  ];
  const paths = [
    ...names,
    ...['#hash', '!bang', 'trail ', 'spaces', '[', 'end', 'kept', 'a.b', 'axb', 'ab', 'ä', 'äx', ']'],
    ...[
      'a/b',
      'a/c',
      'a/b/c',
      'x/y',
      'x/a/y',
      'x/a/b/y',
      'dir/f',
      'q/dir/f',
      'q/top',
      'q/deep/f',
      'q/a/b',
      'a/x',
      'b/a.log',
      'kept/f',
      'q/keep.log',
    ],
  ];
  const files = [
    ...patterns.map((pattern) => [pattern]),
    ['*.log', '!keep.log'],
    ['dir/', '!dir/f'],
    ['*', '!*/', '!*.py'],
    ['/*', '!/kept'],
    ['a/*', '!a/b'],
  ];

  const leaves = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}/`)));
  const tree = Object.fromEntries(leaves.map((path) => [path, '']));

  test('leaves out what git would leave out, line by line, and so does the Python package', async () => {
    const [repository, folder] = [repositoryOf(tree), folderOf({ ...tree, always: '' })];
    const keptByGit = (lines: string) => {
      writeFileSync(join(repository, '.gitignore'), lines);
      return git(repository, 'ls-files', '-z', '--others', '--exclude-standard')
        .split('\0')
        .filter((path) => leaves.includes(path))
        .sort();
    };
    const keptHere = async (lines: string) => {
      writeFileSync(join(folder, '.trainyardignore'), `${lines}!/always\n`);
      const packed = await packCode(folder, MOST, signal);
      const list = execFileSync('tar', ['--list', '--quoting-style=literal', '--file', packed.path], { encoding: 'utf8' });
      await packed.remove();
      return list
        .split('\n')
        .filter((path) => leaves.includes(path))
        .sort();
    };
    const kept: Record<string, string[]> = {};
    for (const lines of files) {
      const text = `${lines.join('\n')}\n`;
      const found = await keptHere(text);
      kept[lines.join(' ')] = found;
      expect(found, text).toEqual(keptByGit(text));
    }
    if (!hasPython) return;
    const program = `
import json, sys
from trainyard._ignore import read_ignore_file
files, leaves = json.load(sys.stdin)
kept = {}
for lines in files:
    ignores = read_ignore_file("\\n".join(lines))
    heads = lambda path: ["/".join(path.split("/")[: end + 1]) for end in range(path.count("/") + 1)]
    kept[" ".join(lines)] = sorted(
        path for path in leaves if not any(ignores(head, head != path) for head in heads(path))
    )
json.dump(kept, sys.stdout)
`;
    const { status, stdout, stderr } = spawnSync('python3', ['-c', program], {
      input: JSON.stringify([files, leaves]),
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: join(import.meta.dirname, '../../../python/src') },
    });
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual(kept);
  });
});
