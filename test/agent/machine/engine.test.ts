/** An agent claims what it can run. A stand-in for docker answers while a file exists. */
import { rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createFolder } from '../../support/folders.ts';
import { logOf, openStation, type Station, signalFile } from '../station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => station.close());

/** Returns the file whose existence makes the engine available. */
function placeDocker(): string {
  const flag = signalFile('engine');
  const folder = createFolder('docker');
  const answers = `version) echo 28.2.2;; inspect) echo '0123abcd false 2026-01-01T00:00:00Z';; run) echo 'It ran.';;`;
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\n[ -e ${flag} ] || exit 1\ncase "$1" in ${answers} esac\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH ?? ''}`);
  return flag;
}

const whyNot = async (jobId: string) => {
  const { job } = await station.ask<{ job: { steps: { status: string; whyNot: { requirement: string }[] }[] } }>(
    'query ($id: ID!) { job(id: $id) { steps { status whyNot { requirement } } } }',
    { id: jobId },
  );
  return job.steps.map((step) => [step.status, step.whyNot.map(({ requirement }) => requirement)]);
};
const image = { image: 'python:3.12', command: 'python -V' };

test('a step that an agent cannot run waits and says why until an engine is available', async () => {
  const flag = placeDocker();
  const agent = station.startAgent({ lookSeconds: 0.1, slots: 2 });
  const bareId = await station.createJob([{ env: [{ name: 'A', value: 'b' }] }]);
  const imageId = await station.createJob([image]);
  // A later step that can be run is run, so the agent has looked.
  const processId = await station.createJob(['echo ran']);
  await station.waitForJob(processId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(await whyNot(bareId)).toEqual([['QUEUED', ['capability']]]);
  expect(await whyNot(imageId)).toEqual([['QUEUED', ['capability']]]);
  writeFileSync(flag, '');
  const job = await station.waitForJob(imageId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(logOf(job.steps[0])).toContain('It ran.\n');
  expect(agent.events.filter(({ kind }) => kind === 'OFFER_CHANGED').map(({ message }) => message)).toEqual([
    'Docker is available: this device runs containers.',
  ]);
  expect(await whyNot(bareId)).toEqual([['QUEUED', ['capability']]]);
  await station.cancelJob(bareId);
  await agent.stop();
});

test('a step whose engine goes away after the claim is given back for another device', async () => {
  const flag = placeDocker();
  writeFileSync(flag, '');
  const agent = station.startAgent({ lookSeconds: 600 });
  const first = await station.createJob([image]);
  await station.waitForJob(first, ({ status }) => expect(status).toBe('SUCCEEDED'));
  rmSync(flag);
  const jobId = await station.createJob([image]);
  const job = await station.waitForJob(jobId, ({ steps }) => expect(steps[0]?.attempts[0]?.outcome).toBe('RELEASED'));
  expect(job.steps[0]?.attempts).toHaveLength(1);
  expect(job.steps[0]?.attempts[0]?.description).toMatch(/no Docker engine answers/);
  expect(await whyNot(jobId)).toEqual([['QUEUED', expect.arrayContaining(['capability'])]]);
  expect(agent.events.map(({ message }) => message)).toContain('Docker is unavailable: this device runs no containers.');
  await station.cancelJob(jobId);
  await agent.stop();
});
