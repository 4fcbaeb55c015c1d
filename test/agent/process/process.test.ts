/** A step's process is over when everything that it started is over, however it ends (P17). */
import { describe, expect, test } from 'vitest';
import { findAdopting } from '../../../src/agent/process/containment.ts';
import { GroupProcess, SpawnError } from '../../../src/agent/process/process.ts';
import { createFolder } from '../../support/folders.ts';
import { describeEnding } from '../ending.ts';
import { eventually } from '../eventually.ts';

async function start(command: string, env: Record<string, string> = {}) {
  const output = { STDOUT: '', STDERR: '' };
  const child = await GroupProcess.start({
    file: '/bin/sh',
    args: ['-c', command],
    cwd: createFolder('process'),
    env: { PATH: process.env.PATH ?? '', ...env },
    onOutput: (stream, bytes) => {
      output[stream] += bytes.toString();
    },
  });
  return { child, output };
}

describe('a process', () => {
  test('has its exit code, and all of both outputs', async () => {
    const { child, output } = await start('echo out; echo err >&2; exit 3');
    expect(await child.exited).toEqual({ exitCode: 3, signal: null });
    expect(output).toEqual({ STDOUT: 'out\n', STDERR: 'err\n' });
  });

  test('sees the environment that it is given, and nothing of the agent’s', async () => {
    const { child, output } = await start('echo "$GIVEN:$VITEST"', { GIVEN: 'yes' });
    await child.exited;
    expect(output.STDOUT).toBe('yes:\n');
  });

  test('has the exit code of a shell when a signal kills it', async () => {
    const { child } = await start('kill -9 $$');
    expect(await child.exited).toEqual({ exitCode: 137, signal: 'SIGKILL' });
  });

  test('says why it cannot be started', async () => {
    const options = { args: [], cwd: createFolder('process'), env: {}, onOutput: () => {} };
    await expect(GroupProcess.start({ ...options, file: '/no/such/program' })).rejects.toThrow(SpawnError);
    await expect(GroupProcess.start({ ...options, file: '/bin/sh', env: { BAD: 'a\0b' } })).rejects.toThrow(SpawnError);
  });

  test('blocks while its output is paused, goes on when it is resumed, and loses nothing', async () => {
    const { child, output } = await start('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; echo end');
    child.hold(true);
    const sizes: number[] = [];
    await eventually(() => expect(sizes.push(output.STDOUT.length) > 3 && sizes.at(-1)).toBe(sizes.at(-4)), { interval: 100 });
    expect(output.STDOUT).not.toContain('end');
    child.hold(false);
    expect((await child.exited).exitCode).toBe(0);
    expect(output.STDOUT).toBe(`${Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('')}end\n`);
  });
});

describeEnding('by marks, sessions and parents', { enclosureOf: () => undefined });

const adopting = (await findAdopting()) ?? 'here is no Perl';
describeEnding('by a process that adopts what it leaves', adopting, { isSure: true });
