import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { CommandSyntaxError, shellArguments, splitCommand } from '../../../src/agent/container/command.ts';

/** The words into which a real shell splits a command line that has nothing to expand. */
function splitByShell(text: string): string[] {
  const output = execFileSync('/bin/sh', ['-c', `for word in ${text}\ndo printf '%s\\0' "$word"; done`], { encoding: 'utf8' });
  return output.split('\0').slice(0, -1);
}

describe('a command line for a container', () => {
  test.each([
    `python train.py --epochs 3`,
    `python   train.py\t--name "a b"`,
    `sh -c 'echo "$HOME" && ls'`,
    `a"b c"d'e f'g`,
    `'' "" x`,
    `a\\ b \\"c\\" \\\\`,
    `"in \\"quotes\\" \\$5 \\n \\\\ end"`,
    `'it'\\''s'`,
    `--json '{"lr": 0.1, "tags": ["a b"]}'`,
    `naïve "日本 語" 🚂`,
  ])('is split as a shell splits it: %s', (text) => {
    expect(splitCommand(text)).toEqual(splitByShell(text));
  });

  test('keeps shell operators as ordinary characters', () => {
    expect(splitCommand('echo $HOME | wc > out ; ls *.py')).toEqual(['echo', '$HOME', '|', 'wc', '>', 'out', ';', 'ls', '*.py']);
  });

  test('joins lines that end in a backslash', () => {
    expect(splitCommand('train \\\n  --epochs 3')).toEqual(['train', '--epochs', '3']);
  });

  test('has no words if it is empty', () => {
    expect(splitCommand(' \n ')).toEqual([]);
  });

  test.each([`echo 'open`, `echo "open`, `echo "open\\`, 'echo \\'])('that is not closed is refused: %s', (text) => {
    expect(() => splitCommand(text)).toThrow(CommandSyntaxError);
  });
});

describe('a command of a process', () => {
  test('is passed to the shell unchanged, after its entrypoint', () => {
    expect(shellArguments({ entrypoint: null, command: 'echo a | wc -l' })).toEqual(['-c', '--', 'echo a | wc -l']);
    expect(shellArguments({ entrypoint: 'python3 -u', command: 'train.py' })).toEqual(['-c', '--', 'python3 -u train.py']);
  });

  test('is null when there is nothing to run', () => {
    expect(shellArguments({ entrypoint: null, command: null })).toBeNull();
    expect(shellArguments({ entrypoint: ' ', command: '' })).toBeNull();
  });
});
