import { describe, expect, test } from 'vitest';
import { GroupProcess, SpawnError } from '../../src/agent/process.ts';
import { findProcess, listProcesses } from '../../src/agent/processes.ts';
import { createFolder } from '../support/folders.ts';
import { eventually } from './eventually.ts';

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

const groupOf = async (pid: number) => (await listProcesses()).filter((row) => row.group === pid && !row.isZombie);

describe('a process', () => {
  test('has its exit code, and all of both outputs', async () => {
    const { child, output } = await start('echo out; echo err >&2; exit 3');
    expect(await child.exited).toEqual({ exitCode: 3, signal: null });
    expect(output).toEqual({ STDOUT: 'out\n', STDERR: 'err\n' });
  });

  test('sees the environment that it is given and nothing of ours', async () => {
    const { child, output } = await start('echo "$GIVEN:$VITEST"', { GIVEN: 'yes' });
    await child.exited;
    expect(output.STDOUT).toBe('yes:\n');
  });

  test('that a signal ended has the exit code that a shell gives it', async () => {
    const { child } = await start('kill -9 $$');
    expect(await child.exited).toEqual({ exitCode: 137, signal: 'SIGKILL' });
  });

  test('that cannot be started says why', async () => {
    const options = { args: [], cwd: createFolder('process'), env: {}, onOutput: () => {} };
    await expect(GroupProcess.start({ ...options, file: '/no/such/program' })).rejects.toThrow(SpawnError);
    await expect(GroupProcess.start({ ...options, file: '/bin/sh', env: { BAD: 'a\0b' } })).rejects.toThrow(SpawnError);
  });

  test('told to stop ends with its whole group', async () => {
    const { child, output } = await start('sleep 100 & sleep 100 & echo ready; wait');
    await eventually(() => expect(output.STDOUT).toBe('ready\n'));
    expect((await groupOf(child.pid)).length).toBeGreaterThanOrEqual(3);
    expect(await child.stop(10)).toEqual({ exitCode: 143, signal: 'SIGTERM' });
    await eventually(async () => expect(await groupOf(child.pid)).toEqual([]));
  });

  test('may end in its own way within the grace', async () => {
    const { child, output } = await start('trap "echo saved; exit 0" TERM; echo ready; while :; do sleep 0.05; done');
    await eventually(() => expect(output.STDOUT).toBe('ready\n'));
    expect(await child.stop(10)).toEqual({ exitCode: 0, signal: null });
    expect(output.STDOUT).toContain('saved\n');
  });

  test('that ignores SIGTERM is killed after the grace, with children that ignore it too', async () => {
    const { child, output } = await start(
      `trap "" TERM; sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' & while :; do sleep 0.05; done`,
    );
    await eventually(() => expect(output.STDOUT).toBe('ready\n'));
    const before = performance.now();
    expect(await child.stop(0.5)).toEqual({ exitCode: 137, signal: 'SIGKILL' });
    expect(performance.now() - before).toBeGreaterThanOrEqual(490);
    await eventually(async () => expect(await groupOf(child.pid)).toEqual([]));
  });

  test('whose output is held waits, goes on when it is read again, and loses nothing', async () => {
    const { child, output } = await start('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; echo end');
    child.hold(true);
    const sizes: number[] = [];
    await eventually(() => expect(sizes.push(output.STDOUT.length) > 3 && sizes.at(-1)).toBe(sizes.at(-4)), { interval: 100 });
    expect(output.STDOUT).not.toContain('end');
    child.hold(false);
    expect((await child.exited).exitCode).toBe(0);
    expect(output.STDOUT).toBe(`${Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('')}end\n`);
  });

  test('that leaves something in the background is over when its command is', async () => {
    const { child, output } = await start('sleep 100 & echo $!');
    expect(await child.exited).toEqual({ exitCode: 0, signal: null });
    await eventually(async () => expect(await findProcess(Number(output.STDOUT))).toBeNull());
  });

  test('is over even when a process that left its group holds its output open', async () => {
    const { child, output } = await start('setsid sleep 100 & echo $!; sleep 0.2');
    expect((await child.exited).exitCode).toBe(0);
    const stray = Number(output.STDOUT);
    process.kill(stray, 'SIGKILL');
  });
});
