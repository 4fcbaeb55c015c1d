/** `trainyard devices invite` and `trainyard agent --join`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runHere } from '../cli/processes.ts';
import { createFolder } from '../support/folders.ts';
import { eventually } from './eventually.ts';
import { openStation, type Station } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

async function invite(...args: string[]): Promise<string> {
  const env = { TRAINYARD_URL: station.gateway.url, TRAINYARD_TOKEN: station.gateway.adminKey };
  const { code, stdout, stderr } = await runHere(['devices', 'invite', '--project', station.projectId, ...args], env);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

function startAgent(args: readonly string[]) {
  const stop = new AbortController();
  return { running: runHere(['agent', ...args], {}, stop.signal), stop };
}

test('an agent joins with a link alone, runs a step, and starts again with the same command', async () => {
  const link = await invite();
  expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#join=tyk_[\w-]{43}$/);
  const workDir = createFolder('joined');
  for (const _ of ['first start', 'second start']) {
    const { running, stop } = startAgent(['--join', link, '--name', 'joiner', '--work-dir', workDir]);
    const jobId = await station.createJob(['echo joined']);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(job.steps[0]?.attempts[0]?.device?.name).toBe('joiner');
    stop.abort();
    expect(await running).toMatchObject({ code: 0 });
  }
  const kept = readFileSync(join(workDir, 'device.json'), 'utf8');
  expect(kept).not.toContain(link.split('#join=')[1] ?? '-');
});

test('a link that was used, has expired or is wrong starts no agent, and the agent says why', async () => {
  const used = await invite();
  const { running, stop } = startAgent(['--join', used, '--name', 'once', '--work-dir', createFolder('once')]);
  await eventually(() => expect(running.stderr()).toContain('Registered'));
  stop.abort();
  await running;
  const refused = async (link: string, ...more: string[]) => {
    const ended = await startAgent(['--join', link, '--name', 'other', '--work-dir', createFolder('other'), ...more]).running;
    return `${ended.code} ${ended.stderr}`;
  };
  expect(await refused(used)).toMatch(/^1 .*The join link was used at .*Make another one\./s);
  expect(await refused(`${station.gateway.url}/#join=tyk_${'x'.repeat(43)}`)).toMatch(/^1 .*does not accept this join link/s);
  expect(await refused(station.gateway.url)).toMatch(/^2 .*has no join link/s);
  expect(await refused(await invite(), '--project', 'x')).toMatch(/^2 .*--project/s);
  const taken = await startAgent(['--join', await invite(), '--name', 'once', '--work-dir', createFolder('taken')]).running;
  expect(`${taken.code} ${taken.stderr}`).toMatch(/^1 .*There is a device named "once"/s);
});
