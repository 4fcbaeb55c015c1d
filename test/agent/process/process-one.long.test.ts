/**
 * An agent that runs as process 1, as in a container without an init. Needs Linux, root and
 * util-linux (P17).
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { childrenOf } from '../../../src/agent/process/enclosure.ts';
import { bundlePath } from '../../support/bundle.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { logOf, openStation, type Station } from '../station.ts';

const alone = ['--pid', '--fork', '--mount-proc', '--kill-child'];
let problem: string | null = null;
let station: Station;
const started: ChildProcess[] = [];
beforeAll(async () => {
  try {
    execFileSync('unshare', [...alone, 'true'], { stdio: 'pipe' });
  } catch (error) {
    problem = `No process can be made process 1 here: ${error instanceof Error ? error.message : error}`;
  }
  station = await openStation();
});
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL');
  await station.close();
});

/** `name`: the name of the device and of the agent's folder. */
function startAgent(name: string, path: string) {
  const flags = ['--url', station.gateway.url, '--name', name, '--work-dir', createFolder(name)];
  const child = spawn('unshare', [...alone, process.execPath, bundlePath, 'agent', ...flags], {
    env: { ...process.env, PATH: path, TRAINYARD_TOKEN: station.gateway.adminKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  for (const pipe of [child.stdout, child.stderr])
    pipe.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  return { child, output: () => output };
}

const zombies = "echo zombies $(grep -l '^State:.Z' /proc/[0-9]*/status | wc -l)";

test('An agent that runs as process 1 leaves no zombies, hides its token, and ends on SIGTERM (P17)', async ({ skip }) => {
  if (problem !== null) return skip(problem);
  const { child, output } = startAgent('alone', process.env.PATH ?? '');
  await eventually(() => expect(output()).toContain('Registered at'), { timeout: 100_000 });
  const orphans = 'for i in 1 2 3; do (setsid sleep 0.01 &); (setsid sleep 600 &); done; sleep 0.5';
  const jobId = await station.createJob([orphans, `${zombies}; tr '\\0' '\\n' < /proc/1/environ | grep -c TRAINYARD; cat /proc/1/comm`]);
  const job = await station.waitForJob(jobId, ({ status }) => expect(status).not.toBe('RUNNING'), 100);
  expect(logOf(job.steps[1])).toBe('zombies 0\n0\nperl\n');
  expect(output()).not.toContain('zombie');
  process.kill(childrenOf(child.pid ?? 0)[0] ?? 0, 'SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(output()).toContain('Stopping');
});

test('An agent warns at its start if nothing waits for orphans (P17)', async ({ skip }) => {
  if (problem !== null) return skip(problem);
  // Everything except Perl.
  const folder = createFolder('path');
  for (const program of ['unshare', 'sh', 'sleep']) {
    const path = execFileSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    symlinkSync(path, join(folder, program));
  }
  const { output } = startAgent('without-perl', folder);
  await eventually(() => expect(output()).toMatch(/^Process 1 does not wait for .*docker run --init/m), { timeout: 100_000 });
});
