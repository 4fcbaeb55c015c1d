import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRecord, recordProcess, removeOrphans } from '../../../src/agent/attempt/orphans.ts';
import { createStepFolder, stepsFolder } from '../../../src/agent/files/folder.ts';
import { findContainment } from '../../../src/agent/process/containment.ts';
import { GroupProcess } from '../../../src/agent/process/process.ts';
import { findProcess } from '../../../src/agent/process/processes.ts';
import { createFolder } from '../../support/folders.ts';
import { claimedStep } from '../claims.ts';
import { eventually } from '../eventually.ts';

/** A step as a killed agent leaves it: its process runs and its folder exists. */
async function leaveStep(command: string) {
  const workDir = createFolder('orphans');
  const folder = await createStepFolder(workDir, claimedStep(), 1);
  let output = '';
  const child = await GroupProcess.start({
    file: '/bin/sh',
    args: ['-c', command],
    cwd: folder.work,
    env: { PATH: process.env.PATH ?? '', TRAINYARD_FRAGMENTS: folder.paths.fragments },
    onOutput: (_stream, bytes) => {
      output += bytes.toString();
    },
  });
  await recordProcess(folder.record, child.pid, null);
  await eventually(() => expect(output).toMatch(/ready/));
  return { workDir, folder, child, output: () => output };
}

test('processes and folders that an agent left behind are removed', async () => {
  const { workDir, child } = await leaveStep('sleep 100 & echo ready; wait');
  expect(await removeOrphans(workDir, await findContainment())).toBe(1);
  expect(await child.exited).toEqual({ exitCode: 137, signal: 'SIGKILL' });
  expect(readdirSync(stepsFolder(workDir))).toEqual([]);
});

test.runIf(process.platform === 'linux')('a process that left its group is found by its environment', async () => {
  const { workDir, child, output } = await leaveStep('setsid sleep 100 & echo $! ready; wait');
  const stray = Number.parseInt(output(), 10);
  expect(await findProcess(stray)).not.toBeNull();
  await removeOrphans(workDir, await findContainment());
  await eventually(async () => expect(await findProcess(stray)).toBeNull());
  await child.exited;
});

test('a process that got a recorded pid later is not touched', async () => {
  const { child: stranger } = await leaveStep('echo ready; sleep 100');
  const workDir = createFolder('orphans');
  const root = join(stepsFolder(workDir), 'step_x-1');
  mkdirSync(root, { recursive: true });
  const record = join(root, 'process.json');
  await recordProcess(record, stranger.pid, null);
  writeFileSync(record, JSON.stringify({ ...(await readRecord(record)), startedAt: '1' }));
  expect(await removeOrphans(workDir, await findContainment())).toBe(1);
  expect(await findProcess(stranger.pid)).not.toBeNull();
  stranger.kill();
  await stranger.exited;
});
