import { describe, expect, test } from 'vitest';
import { explainExit } from '../../src/agent/attempt/start.ts';
import { parseQuota } from '../../src/agent/process/cgroups.ts';

describe('exit code 127', () => {
  test.each([
    '/bin/sh: 1: no-such-program: not found',
    '/bin/sh: line 1: no-such-program: command not found',
    'sh: no-such-program: not found',
    'run.sh: line 3: ./train: No such file or directory',
  ])('is no such command where a shell says so: %s', (line) => {
    expect(explainExit({ exitCode: 127, signal: null }, line)).toMatchObject({ reason: 'DEVICE_REPORTED' });
  });

  test.each(['', 'epoch 3: the weights were not found', 'FileNotFoundError: [Errno 2] No such file or directory', '😀'.repeat(100)])(
    'of a program that says %j is an exit code like any other',
    (line) => {
      expect(explainExit({ exitCode: 127, signal: null }, line)).toBeNull();
      expect(explainExit({ exitCode: 126, signal: null }, line)).toBeNull();
    },
  );
});

test('exit code 126 is reported as a command that cannot be run if a shell says so', () => {
  expect(explainExit({ exitCode: 126, signal: null }, '/bin/sh: 1: ./data.txt: Permission denied')).toMatchObject({
    reason: 'DEVICE_REPORTED',
  });
});

test.each([
  ['150000 100000', 1.5],
  ['50000 100000\n', 0.5],
  ['400000 200000', 2],
  ['max 100000', null],
  ['-1\n 100000\n', null],
  [' ', null],
  ['1 100000', 0.01],
])('a CPU quota is read in cores: %j', (text, cores) => {
  expect(parseQuota(text)).toBe(cores);
});
