/** What a step may do to outlive its end, tried with each way of finding its processes. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Containment } from '../../src/agent/process/containment.ts';
import { GroupProcess } from '../../src/agent/process/process.ts';
import { listProcesses } from '../../src/agent/process/processes.ts';
import { createFolder } from '../support/folders.ts';
import { eventually } from './eventually.ts';

/**
 * The processes whose current directory is this folder: a step's work folder, which no process
 * leaves in these tests.
 */
function livingIn(folder: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : [];
    } catch {
      return [];
    }
  });
}

/**
 * `isSure`: whether this way also finds processes with a new session, a new environment and no
 * parent. A text in place of `way`: why it is missing here.
 */
export function describeEnding(way: string, containment: Pick<Containment, 'enclosureOf'> | string, { isSure = false } = {}): void {
  if (typeof containment === 'string') {
    test.skip(`a step’s processes are found ${way}: not tried, ${containment}`, () => {});
    return;
  }
  const notes: string[] = [];

  async function start(command: string) {
    const root = createFolder('ending');
    const folder = join(root, 'work');
    mkdirSync(folder);
    const output = { STDOUT: '', STDERR: '' };
    const enclosure = containment instanceof Object ? containment.enclosureOf(root) : undefined;
    await enclosure?.open();
    const child = await GroupProcess.start({
      file: '/bin/sh',
      args: ['-c', command],
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', TRAINYARD_FRAGMENTS: folder },
      mark: `TRAINYARD_FRAGMENTS=${folder}`,
      enclosure,
      note: (line) => notes.push(line),
      onOutput: (stream, bytes) => {
        output[stream] += bytes.toString();
      },
    });
    void child.exited.then(() => enclosure?.close());
    const expectOver = () => {
      if (process.platform === 'linux') expect(livingIn(folder)).toEqual([]);
      expect(notes).toEqual([]);
    };
    return { child, output, folder, expectOver, ready: () => eventually(() => expect(output.STDOUT + output.STDERR).toContain('ready\n')) };
  }

  describe(`a step whose processes are found ${way} (P17)`, () => {
    test('has its exit code, its signal and its output', async () => {
      const { child, output } = await start('echo out; echo err >&2; exit 3');
      expect(await child.exited).toEqual({ exitCode: 3, signal: null });
      expect(output).toEqual({ STDOUT: 'out\n', STDERR: 'err\n' });
      const { child: killed } = await start('kill -SEGV $$');
      expect(await killed.exited).toEqual({ exitCode: 139, signal: 'SIGSEGV' });
    });

    test('ends with all that it started when it is told to stop', async () => {
      const { child, expectOver, ready } = await start('sleep 100 & setsid sleep 100 & cd . && echo ready && timeout 900 sleep 1234567');
      await ready();
      await eventually(async () => expect((await child.list()).length).toBeGreaterThanOrEqual(4));
      const { exitCode } = await child.stop(10);
      // Both the shell and `timeout` get the signal, in either order.
      expect([124, 143]).toContain(exitCode);
      expectOver();
    });

    test('may save its work within the grace, although the shell that started it dies at once', async () => {
      const script = `process.on('SIGTERM', () => setTimeout(() => { console.log('saved'); process.exit(0) }, 700)); console.log('ready'); setInterval(() => {}, 1000)`;
      const { child, output, expectOver, ready } = await start(`cd . ; '${process.execPath}' -e "${script}"; echo never`);
      await ready();
      const before = performance.now();
      expect(await child.stop(20)).toEqual({ exitCode: 143, signal: 'SIGTERM' });
      expect(output.STDOUT).toBe('ready\nsaved\n');
      // It does not use the whole grace: it is over when all have ended.
      expect(performance.now() - before).toBeLessThan(15_000);
      expectOver();
    });

    test('may end by itself within the grace', async () => {
      const { child, output, ready } = await start('trap "echo saved; exit 0" TERM; echo ready; while :; do sleep 0.05; done');
      await ready();
      expect(await child.stop(10)).toEqual({ exitCode: 0, signal: null });
      expect(output.STDOUT).toContain('saved\n');
    });

    test('is killed after the grace if it ignores SIGTERM, with children that ignore it too', async () => {
      const { child, expectOver, ready } = await start(
        `trap "" TERM; sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' & while :; do sleep 0.05; done`,
      );
      await ready();
      const before = performance.now();
      expect(await child.stop(0.5)).toEqual({ exitCode: 137, signal: 'SIGKILL' });
      expect(performance.now() - before).toBeGreaterThanOrEqual(490);
      expectOver();
    });

    test('is killed after the grace if its shell has died and its children ignore SIGTERM', async () => {
      const { child, expectOver, ready } = await start(`sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' & wait`);
      await ready();
      const before = performance.now();
      expect(await child.stop(0.7)).toEqual({ exitCode: 143, signal: 'SIGTERM' });
      expect(performance.now() - before).toBeGreaterThanOrEqual(690);
      expectOver();
    });

    test('is over when its command is, although it left a background process', async () => {
      const { child, expectOver } = await start('sleep 100 & setsid sleep 999 </dev/null >/dev/null 2>&1 & sleep 0.1');
      expect(await child.exited).toEqual({ exitCode: 0, signal: null });
      expectOver();
    });

    test('is over although its daemon holds its output open', async () => {
      const { child, expectOver } = await start('(setsid sh -c "sleep 100 & sleep 100" &) ; sleep 0.1');
      expect((await child.exited).exitCode).toBe(0);
      expectOver();
    });

    test('is over although some of its processes are stopped', async () => {
      const { child, expectOver, ready } = await start('sleep 100 & kill -STOP $!; setsid sleep 100 & echo ready; wait');
      await ready();
      const { signal } = await child.stop(10);
      expect(signal).toBe('SIGTERM');
      expectOver();
    });

    test('is over although it forks as fast as it can', async () => {
      const { child, expectOver } = await start('(while :; do sleep 30 & sleep 0.002; done) & (while :; do sleep 0.01; done) & sleep 0.3');
      expect((await child.exited).exitCode).toBe(0);
      expectOver();
    });

    test.runIf(isSure)('is over although what it has left has a new session, a new environment and no parent', async () => {
      const stray = `env -i setsid sh -c 'sh -c "sleep 100 & sleep 100" &'`;
      const { child, expectOver } = await start(`(${stray} </dev/null >/dev/null 2>&1 &); sleep 0.2`);
      expect((await child.exited).exitCode).toBe(0);
      expectOver();
    });

    test.runIf(isSure)('is over although it moves on from process to process all the time', async () => {
      // Each process starts the next and exits.
      const { child, expectOver, ready } = await start(
        `cat > hop.sh <<'END'\nsetsid sh hop.sh </dev/null >/dev/null 2>&1 &\nEND\nenv -i PATH="$PATH" sh hop.sh; sleep 0.2; echo ready; sleep 100`,
      );
      await ready();
      await child.stop(0.3);
      expectOver();
    });

    test('kills no other process and leaves none of its own', async () => {
      const { child: stranger, folder } = await start('echo ready; sleep 100');
      const { child } = await start('sleep 100 & exit 0');
      await child.exited;
      expect(livingIn(folder)).not.toEqual([]);
      stranger.kill();
      await stranger.exited;
      const zombies = (await listProcesses()).filter(({ parent, isZombie }) => parent === process.pid && isZombie);
      expect(zombies).toEqual([]);
    });
  });
}
