/**
 * However a step ends, its files are uploaded (P18), its processes have ended, and its slot is free
 * (P17).
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProcess } from '../../src/agent/process/processes.ts';
import { type JobSeen, logOf, openStation, type Station, signalFile } from './station.ts';

let station: Station;
beforeEach(async () => {
  station = await openStation();
});
afterEach(() => station.close());

async function createJob(command: string, more: Record<string, unknown> = {}): Promise<string> {
  const input = { projectId: station.projectId, name: 'A job', container: { command }, ...more };
  const { createJob } = await station.ask<{ createJob: { job: { id: string } } }>(
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { message } } }',
    { input },
  );
  return createJob.job.id;
}

/**
 * A script started by a shell. It has nothing on disk until it is told to stop, and then takes its
 * time. The shell is gone by then.
 */
const saving = (pids: string) => {
  const save = [
    `require('fs').writeFileSync('fragments/checkpoint.txt', 'epoch 7')`,
    `require('fs').appendFileSync(process.env.TRAINYARD_METRICS, JSON.stringify({ iteration: 7, loss: 0.7 }))`,
    `console.log('saved')`,
    `process.exit(0)`,
  ].join('; ');
  const script = `process.on('SIGTERM', () => setTimeout(() => { ${save} }, 300)); require('fs').appendFileSync('${pids}', process.pid + '\\n'); console.log('begun'); setInterval(() => {}, 1000)`;
  return `setsid sleep 600 & echo $! >> ${pids}; cd . ; '${process.execPath}' -e "${script}"; echo never`;
};

async function expectHandedIn(job: JobSeen, pids: string): Promise<void> {
  const [step] = job.steps;
  expect(logOf(step)).toContain('begun\nsaved\n');
  expect(logOf(step)).not.toContain('never');
  expect(job.fragments.edges.map(({ node }) => [node.filename, node.status, node.text])).toEqual([['checkpoint.txt', 'READY', 'epoch 7']]);
  expect(job.metricSeries.points).toMatchObject([{ iteration: 7, value: 0.7 }]);
  for (const pid of readFileSync(pids, 'utf8').trim().split('\n').map(Number)) expect(await findProcess(pid)).toBeNull();
}

const begins = (id: string) => station.waitForJob(id, (job) => expect(logOf(job.steps[0])).toContain('begun\n'));

describe('A step’s files are uploaded and all of its processes end when it is stopped', () => {
  test('by a cancel (P17, P18)', async () => {
    const agent = station.startAgent({ leaseSeconds: 3, graceSeconds: 20 });
    const pids = signalFile('pids');
    const id = await createJob(saving(pids));
    await begins(id);
    await station.cancelJob(id);
    await expectHandedIn(await station.waitForJob(id, ({ status }) => expect(status).toBe('CANCELLED')), pids);
    await agent.stop();
  });

  test('by a run timeout (P17, P18)', async () => {
    const agent = station.startAgent({ leaseSeconds: 3, graceSeconds: 20 });
    const pids = signalFile('pids');
    const id = await createJob(saving(pids), { runTimeoutSeconds: 2 });
    const job = await station.waitForJob(id, ({ status }) => expect(status).toBe('FAILED'));
    expect(job.steps[0]?.attempts).toMatchObject([{ outcome: 'FAILED', reason: 'RUN_TIMEOUT' }]);
    await expectHandedIn(job, pids);
    await agent.stop();
  });

  test('by a preemption (P17, P18)', async () => {
    const agent = station.startAgent({ leaseSeconds: 3, graceSeconds: 20 });
    const pids = signalFile('pids');
    const id = await createJob(saving(pids), { isPreemptible: true });
    await begins(id);
    const urgent = await createJob('echo urgent');
    const job = await station.waitForJob(id, ({ steps }) => expect(steps[0]?.attempts[0]).toMatchObject({ outcome: 'PREEMPTED' }));
    const first = {
      ...job.steps[0],
      log: { ...job.steps[0]?.log, chunks: job.steps[0]?.log.chunks.filter(({ attempt }) => attempt === 1) },
    };
    await expectHandedIn({ ...job, steps: [first] } as JobSeen, pids); // as it was, but for the log of the next attempt
    await station.waitForJob(urgent, ({ status }) => expect(status).toBe('SUCCEEDED'));
    await station.cancelJob(id);
    await station.waitForJob(id, ({ status }) => expect(status).toBe('CANCELLED'));
    await agent.stop();
  });

  test('by the stop of its agent (P17, P18)', async () => {
    const agent = station.startAgent({ leaseSeconds: 3, graceSeconds: 20 });
    const pids = signalFile('pids');
    const id = await createJob(saving(pids));
    await begins(id);
    expect(await agent.stop('release')).toBe(0);
    const job = await station.readJob(id);
    expect(job.steps[0]).toMatchObject({ status: 'QUEUED', attempts: [{ outcome: 'RELEASED' }] });
    await expectHandedIn(job, pids);
    await station.cancelJob(id);
  });
});

describe('A slot is free', () => {
  test('after a step that left a pipe in place of its metrics and a daemon that holds its output (P17)', async () => {
    const agent = station.startAgent({ slots: 1 });
    const id = await createJob('rm -f $TRAINYARD_METRICS; mkfifo $TRAINYARD_METRICS; setsid sleep 600 & sleep 0.5; echo done');
    const job = await station.waitForJob(id, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(logOf(job.steps[0])).toContain('done\n');
    const next = await createJob('echo next');
    await station.waitForJob(next, ({ status }) => expect(status).toBe('SUCCEEDED'));
    await agent.stop();
  });

  test('after a cancel by a gateway that does not answer any more (P17)', async () => {
    const agent = station.startAgent({ slots: 1, graceSeconds: 0.5 });
    const id = await createJob('echo result > fragments/result.txt; echo begun; sleep 600');
    await begins(id);
    process.kill(station.gateway.pid, 'SIGSTOP');
    const before = performance.now();
    try {
      expect(await agent.stop('release')).toBe(0);
    } finally {
      process.kill(station.gateway.pid, 'SIGCONT');
    }
    expect(performance.now() - before).toBeLessThan(20_000);
    await station.cancelJob(id);
  });
});
