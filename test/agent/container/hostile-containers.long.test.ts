/**
 * Hostile steps in real containers: the host reads what they write, and must not be misled by it
 * (P16).
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stepsFolder } from '../../../src/agent/files/folder.ts';
import { openEngine } from '../../support/engine.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { type JobSeen, logOf, openStation, type Station } from '../station.ts';

const engine = await openEngine();
if (typeof engine === 'string') console.warn(engine);
const image = typeof engine === 'string' ? '' : engine.image;
let station: Station;
const workDir = createFolder('hostile');

const sh = (script: string) => ({ image, entrypoint: 'sh -c', command: `'${script.replaceAll("'", `'\\''`)}'` });
async function run(script: string): Promise<JobSeen> {
  const jobId = await station.createJob([sh(script)]);
  return station.waitForJob(jobId, ({ status }) => expect(status).toMatch(/SUCCEEDED|FAILED/), 120);
}
const filesOf = (job: JobSeen) => job.fragments.edges.map(({ node }) => node.filename).sort();

describe.skipIf(typeof engine === 'string')('a hostile step in a container', () => {
  beforeAll(async () => {
    station = await openStation();
    station.startAgent({ slots: 2, graceSeconds: 3, workDir });
  });
  afterAll(async () => {
    await station?.close();
    if (typeof engine !== 'string') await engine.close();
  });

  test.each([
    ['a folder', 'cd /trainyard; rm -rf fragments; ln -s /etc fragments'],
    ['a file', 'ln -s /etc/passwd /trainyard/fragments/passwd'],
    ['a folder in the folder', 'ln -s /etc /trainyard/fragments/etc'],
    ['a file by the way of its parents', 'ln -s ../../../../../../../../etc/passwd /trainyard/fragments/passwd'],
  ])('uploads no file of the host through a link to %s', async (_, script) => {
    const job = await run(`${script}; echo done`);
    expect(filesOf(job)).toEqual([]);
    expect(logOf(job.steps[0])).not.toContain('root:');
  });

  test('does not hold its slot with a pipe in place of its metrics file', async () => {
    const job = await run('rm -f $TRAINYARD_METRICS; mkfifo $TRAINYARD_METRICS; mkfifo /trainyard/fragments/pipe; echo done');
    expect(logOf(job.steps[0])).toContain('done\n');
    expect(filesOf(job)).toEqual([]);
  });

  test('shows nothing of the agent through a link in place of its metrics file', async () => {
    const job = await run('ln -sf /proc/self/environ $TRAINYARD_METRICS; sleep 2; echo done');
    expect(logOf(job.steps[0])).not.toContain('PATH=');
    expect(logOf(job.steps[0])).not.toContain(station.gateway.adminKey);
  });

  test('does not show its lease token', async () => {
    const log = logOf((await run('env; printf "%s" "$TRAINYARD_TOKEN" | cut -c1-20; sleep 1; echo "$TRAINYARD_TOKEN" >&2')).steps[0]);
    expect(log).toContain('TRAINYARD_TOKEN=');
    expect(log).not.toMatch(/TRAINYARD_TOKEN=lease_/);
  });

  test('uploads files of every name and mode, and leaves nothing on the device', async () => {
    const job = await run(
      `cd /trainyard/fragments; echo a > ./-rf; echo b > ./--help; echo c > odd.txt; chown 12345:54321 odd.txt; chmod 000 odd.txt; mkdir /trainyard/deep; chown 12345 /trainyard/deep; chmod 000 /trainyard/deep; chmod 000 /trainyard/.trainyard; echo done`,
    );
    expect(filesOf(job)).toContain('odd.txt');
    expect(job.steps[0]?.status).toBe('SUCCEEDED');
    await eventually(() => expect(readdirSync(stepsFolder(workDir))).toEqual([]));
  });
});
