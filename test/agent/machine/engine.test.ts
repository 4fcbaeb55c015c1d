/** An agent takes what it can run, with a program that stands in for docker and answers while a file is there. */
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

/** Answers the file by which the engine is there. */
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

test('a step that an agent cannot run waits, and says why, until an engine is there', async () => {
  const flag = placeDocker();
  const agent = station.startAgent({ lookSeconds: 0.1, slots: 2 });
  const bareId = await station.createJob([{ env: [{ name: 'A', value: 'b' }] }]);
  const imageId = await station.createJob([image]);
  // What comes later and can be run is: the agent has looked.
  const processId = await station.createJob(['echo ran']);
  await station.waitForJob(processId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(await whyNot(bareId)).toEqual([['QUEUED', ['capability']]]);
  expect(await whyNot(imageId)).toEqual([['QUEUED', ['capability']]]);
  writeFileSync(flag, '');
  const job = await station.waitForJob(imageId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(logOf(job.steps[0])).toContain('It ran.\n');
  expect(agent.events.filter(({ kind }) => kind === 'OFFER_CHANGED').map(({ message }) => message)).toEqual([
    'Docker is there: runs containers.',
  ]);
  expect(await whyNot(bareId)).toEqual([['QUEUED', ['capability']]]);
  await station.cancelJob(bareId);
  await agent.stop();
});

test('a step whose engine goes away as it is claimed is given back, for another device', async () => {
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
  expect(agent.events.map(({ message }) => message)).toContain('Docker is away: runs no containers.');
  await station.cancelJob(jobId);
  await agent.stop();
});
