/** Preemption with a real gateway and a real agent: told, stopped, given back, and run again. */
import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../agent/eventually.ts';
import { openStation, type Station, signalFile } from '../agent/station.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('On $dialect', ({ create }) => {
  let station: Station;
  beforeEach(async () => {
    station = await openStation(await create());
  });
  afterEach(() => station.close());

  async function createJob(name: string, command: string, isPreemptible: boolean): Promise<string> {
    const input = { projectId: station.projectId, name, isPreemptible, container: { command } };
    const { createJob } = await station.ask<{ createJob: { job: { id: string } } }>(
      'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { message } } }',
      { input },
    );
    return createJob.job.id;
  }

  const transitionsOf = async (id: string) => {
    const query =
      'query ($id: ID!) { job(id: $id) { history { transitions { to reason } } steps { transitions { to reason description } } } }';
    const { job } = await station.ask<{
      job: { history: { transitions: unknown[] }; steps: { transitions: { to: string; reason: string; description: string }[] }[] };
    }>(query, { id });
    return job;
  };

  test('a preemptible step on the only slot is evicted for one that is not, and runs again after it (n8)', async () => {
    const [begun, stopped, go] = [signalFile('begun'), signalFile('stopped'), signalFile('go')];
    // When told to stop, it records that and ends. When run again, it runs to its end.
    const patient = `trap 'touch ${stopped}; exit 143' TERM; touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; echo done`;
    station.startAgentProcess({ slots: 1, name: 'only', leaseSeconds: 3 });
    const patientId = await createJob('Patient', patient, true);
    await eventually(() => expect(existsSync(begun)).toBe(true), { timeout: 30_000 });

    const urgentId = await createJob('Urgent', `test -e ${stopped} && touch ${go} && echo urgent`, false);
    const urgent = await station.waitForJob(urgentId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    const finished = await station.waitForJob(patientId, ({ status }) => expect(status).toBe('SUCCEEDED'));

    expect(urgent.steps[0]?.attempts).toMatchObject([{ number: 1, outcome: 'SUCCEEDED' }]);
    expect(finished.steps[0]?.attempts).toMatchObject([
      { number: 1, outcome: 'PREEMPTED', reason: 'PREEMPTED' },
      { number: 2, outcome: 'SUCCEEDED' },
    ]);
    const evicted = await transitionsOf(patientId);
    expect(evicted.history.transitions).toEqual([
      { to: 'QUEUED', reason: 'CREATED' },
      { to: 'RUNNING', reason: 'CLAIMED' },
      { to: 'SUSPENDED', reason: 'PREEMPTED' },
      { to: 'RUNNING', reason: 'CLAIMED' },
      { to: 'SUCCEEDED', reason: 'COMPLETED' },
    ]);
    expect(evicted.steps[0]?.transitions.find(({ reason }) => reason === 'PREEMPTED')?.description).toContain(
      `step 0 of Urgent (${urgentId})`,
    );
    const taker = await transitionsOf(urgentId);
    expect(taker.steps[0]?.transitions.find(({ reason }) => reason === 'CLAIMED')?.description).toBe(
      `Claimed by only, in place of step 0 of Patient (${patientId}).`,
    );
  });

  test('a step that does not stop keeps its slot until it has ended', async () => {
    const [begun, go] = [signalFile('begun'), signalFile('go')];
    const deaf = `trap '' TERM; touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done`;
    station.startAgentProcess({ slots: 1, leaseSeconds: 3, graceSeconds: 60 });
    const deafId = await createJob('Deaf', deaf, true);
    await eventually(() => expect(existsSync(begun)).toBe(true), { timeout: 30_000 });
    const urgentId = await createJob('Urgent', 'true', false);
    const { steps } = await station.readJob(urgentId);
    const whyNot = 'query ($id: ID!) { step(id: $id) { whyNot { requirement } } }';
    await eventually(async () => {
      const { step } = await station.ask<{ step: { whyNot: { requirement: string }[] } }>(whyNot, { id: steps[0]?.id });
      expect(step.whyNot.map(({ requirement }) => requirement)).toEqual(['slots', 'preemption']);
    });
    expect((await station.readJob(deafId)).status).toBe('RUNNING');
    writeFileSync(go, '');
    await station.waitForJob(urgentId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    const ended = await station.waitForJob(deafId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(ended.steps[0]?.attempts.map(({ outcome }) => outcome).at(-1)).toBe('SUCCEEDED');
  });
});
