/**
 * A device offers what a container's or service's limits leave it. Needs a user who may make
 * control groups.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { type CgroupPlace, findCgroup, findUnifiedCgroup } from '../../../src/agent/process/cgroups.ts';
import { openStation } from '../station.ts';

/** Makes a control group with this limit. Null where that is impossible. */
function limit(place: CgroupPlace | null, files: Readonly<Record<string, string>>): string | null {
  if (place === null) return null;
  const folder = join(place.folder, `limit-${process.pid}`);
  try {
    mkdirSync(folder);
    onTestFinished(() => rmdirSync(folder));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  } catch {
    return null;
  }
}

test('a device offers the cores of its CPU quota', ({ skip }) => {
  const folder = limit(findCgroup('cpu'), { 'cpu.cfs_quota_us': '50000' }) ?? limit(findUnifiedCgroup(), { 'cpu.max': '50000 100000' });
  if (folder === null) return skip('no quota can be set here');
  const resources = fileURLToPath(new URL('../../../src/agent/machine/resources.ts', import.meta.url));
  const script = `import { findResources } from ${JSON.stringify(resources)}; console.log(findResources([]).cpu)`;
  const join = `echo $$ > ${folder}/cgroup.procs; exec "$@"`;
  const output = execFileSync('/bin/sh', ['-c', join, 'sh', process.execPath, '--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(output).toBe('0.5\n');
});

test('a process step that the kernel kills because memory ran out fails with OUT_OF_MEMORY', async ({ skip }) => {
  const bytes = String(500 * 1024 * 1024);
  const folder =
    limit(findCgroup('memory'), { 'memory.limit_in_bytes': bytes }) ??
    limit(findUnifiedCgroup(), { 'memory.max': bytes, 'memory.swap.max': '0' });
  if (folder === null) return skip('no limit can be set here');
  const station = await openStation();
  const agent = station.startAgentProcess();
  writeFileSync(join(folder, 'cgroup.procs'), String(agent.pid));
  const hog = `'${process.execPath}' -e "const held = []; setInterval(() => held.push(Buffer.alloc(50 * 1024 * 1024, 1)), 20)"`;
  const jobId = await station.createJob([`cd . ; ${hog}; exit $?`]);
  const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('FAILED'), 60);
  expect(job.steps[0]?.attempts[0]).toMatchObject({ reason: 'OUT_OF_MEMORY', exitCode: 137 });
  const killed = await station.createJob(['kill -9 $$']);
  const other = await station.waitForJob(killed, ({ status }) => expect(status).toBe('FAILED'), 60);
  expect(other.steps[0]?.attempts[0]).toMatchObject({ reason: 'EXIT_CODE', exitCode: 137 });
  await agent.kill('SIGTERM');
  await station.close();
});
