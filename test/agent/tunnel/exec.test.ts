/** `trainyard exec`: a command inside a running step. */
import { existsSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { listProcesses } from '../../../src/agent/process/processes.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { openStation, type Station, signalFile } from '../station.ts';
import { type CommandOptions, type Ended, runAt } from './commands.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation(undefined, { flags: ['--passage-size', '1000000'] });
  station.startAgent({ slots: 40, graceSeconds: 2 });
});
afterAll(() => station?.close());

const trainyard = (args: readonly string[], options?: CommandOptions): Promise<Ended> => runAt(station, args, options);

/** A step that runs until a test ends it. */
async function startStep(command: string | Record<string, unknown> = 'export OWN=kept; echo up; exec sleep 600'): Promise<string> {
  const jobId = await station.createJob([command]);
  await station.waitForJob(jobId, (job) => expect(JSON.stringify(job.steps[0]?.log)).toContain('up'));
  return jobId;
}

describe('trainyard exec', () => {
  test('runs a command in the work folder and the environment of the step, and passes on its output and exit code', async () => {
    const jobId = await startStep('echo content > made; echo up; exec sleep 600');
    const { code, stdout, stderr } = await trainyard([
      'exec',
      jobId,
      '--',
      'sh',
      '-c',
      'cat made; echo "$TRAINYARD_JOB_ID $0 $1"; echo wrong >&2; exit 7',
      'a b',
      'c*',
    ]);
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 7, stdout: `content\n${jobId} a b c*\n`, stderr: 'wrong\n' });
    const entries = await station.ask<{ auditLog: { nodes: unknown[] } }>(
      '{ auditLog(filter: {actions: [COMMAND_RUN]}, first: 1) { nodes { action actor subjectId changes } } }',
    );
    expect(entries.auditLog.nodes).toEqual([
      {
        action: 'COMMAND_RUN',
        actor: expect.stringContaining('user:'),
        subjectId: jobId,
        changes: expect.objectContaining({
          command: { to: expect.stringContaining('sh -c cat made') },
          step: { to: 0 },
          attempt: { to: 1 },
        }),
      },
    ]);
  });

  test('passes on stdin unchanged, and its end', async () => {
    const jobId = await startStep();
    const bytes = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) % 256));
    const { code, stdout } = await trainyard(['exec', jobId, '--', 'cat'], {
      stdin: Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]),
    });
    expect([code, stdout.equals(bytes)]).toEqual([0, true]);
    const none = await trainyard(['exec', jobId, '--', 'cat']);
    expect([none.code, none.stdout.length]).toEqual([0, 0]);
  });

  test('answers as a shell for a signal, and for a command that does not exist', async () => {
    const jobId = await startStep();
    expect((await trainyard(['exec', jobId, '--', 'sh', '-c', 'kill -TERM $$'])).code).toBe(143);
    const missing = await trainyard(['exec', jobId, '--', '/no/such/program']);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('/no/such/program');
  });

  test('does not send more than the gateway allows', async () => {
    const jobId = await startStep();
    const { code, stderr } = await trainyard(['exec', jobId, '--', 'sh', '-c', 'yes']);
    expect(code).toBe(2);
    expect(stderr).toContain('LIMIT_EXCEEDED: A request or session in a running step may have 1000000 bytes.');
    // The command is ended as well.
    await expectNone('yes', jobId);
  });

  test('ends the command, and all that it started, when it is interrupted', async () => {
    const jobId = await startStep();
    const began = signalFile('began');
    const interrupt = new AbortController();
    const running = trainyard(['exec', jobId, '--', 'sh', '-c', `setsid sleep 987 & echo > ${began}; sleep 987`], {
      signal: interrupt.signal,
    });
    await eventually(() => expect(existsSync(began)).toBe(true));
    interrupt.abort();
    expect((await running).code).toBe(130);
    await expectNone('sleep 987', jobId);
    // The step goes on.
    expect((await station.readJob(jobId)).status).toBe('RUNNING');
  });

  test('ends with the step', async () => {
    const end = signalFile('end');
    const jobId = await startStep(`echo up; while ! test -e ${end}; do sleep 0.05; done`);
    const began = signalFile('began');
    const running = trainyard(['exec', jobId, '--', 'sh', '-c', `echo > ${began}; setsid sleep 654`]);
    await eventually(() => expect(existsSync(began)).toBe(true));
    writeFileSync(end, '');
    expect((await running).code).not.toBe(0);
    await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    await expectNone('sleep 654', jobId);
    const late = await trainyard(['exec', jobId, '--', 'true']);
    expect([late.code, late.stderr]).toEqual([2, expect.stringContaining('INVALID_STATE: The job is SUCCEEDED')]);
  });

  test('is refused for viewers, watch links, keys of the job and other projects, and without a command', async () => {
    const jobId = await startStep();
    const other = await station.makeProject();
    for (const input of ['role: VIEWER', `kind: WATCH, jobId: "${jobId}"`, `kind: JOB, jobId: "${jobId}"`]) {
      const { secret: key } = await station.makeKey(input);
      expect((await trainyard(['exec', jobId, '--', 'true'], { key })).stderr).toContain('FORBIDDEN');
    }
    const { secret: key } = await station.makeKey(`role: EDITOR, projectId: "${other}"`);
    expect((await trainyard(['exec', jobId, '--', 'true'], { key })).stderr).toContain('NOT_FOUND');
    expect((await trainyard(['exec', jobId])).stderr).toContain('No command');
    expect((await trainyard(['exec', jobId, '--step', '7', '--', 'true'])).code).toBe(2);
  });

  test('has a token that runs its command once, and is refused when its key has ended', async () => {
    const jobId = await startStep();
    const { id, secret } = await station.makeKey('role: EDITOR');
    const ask = async (): Promise<{ url: string; token: string }> => {
      const response = await fetch(`${station.gateway.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
        body: JSON.stringify({
          query: `mutation { execInStep(input: { jobId: "${jobId}", command: ["true"] }) { ... on ExecInStepPayload { session { url token } } } }`,
        }),
      });
      return ((await response.json()) as { data: { execInStep: { session: { url: string; token: string } } } }).data.execInStep.session;
    };
    const closeOf = ({ url, token }: { url: string; token: string }) =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(station.gateway.url.replace('http', 'ws') + url);
        socket.once('open', () => socket.send(token));
        socket.once('close', resolve);
      });
    const session = await ask();
    // Closed without a reason.
    expect(await closeOf(session)).toBe(1005);
    expect(await closeOf(session)).toBe(4401);
    expect(await closeOf({ ...session, token: `${session.token.slice(0, -2)}xx` })).toBe(4401);
    const unused = await ask();
    await station.ask(`mutation { revokeApiKey(input: { apiKeyId: "${id}" }) { __typename } }`);
    expect(await closeOf(unused)).toBe(4401);
  });

  test('finds the step again after its agent has lost the gateway, and says meanwhile that it is away', async () => {
    const jobId = await startStep();
    await station.gateway.restart();
    // The agent opens the tunnel again by itself.
    await eventually(async () => expect((await trainyard(['exec', jobId, '--', 'echo', 'back'])).stdout.toString()).toBe('back\n'), {
      timeout: 60_000,
      interval: 250,
    });
  });

  test('says that the agent is away when it was killed', async () => {
    const workDir = createFolder('agent');
    const agent = station.startAgentProcess({ workDir, name: 'mortal', labels: [{ key: 'only', value: 'me' }] });
    const { createJob } = await station.ask<{ createJob: { job: { id: string } } }>(
      'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
      {
        input: {
          projectId: station.projectId,
          name: 'mortal',
          steps: [{ name: 's', container: { command: 'echo up; exec sleep 600' }, requiredLabels: [{ key: 'only', value: 'me' }] }],
        },
      },
    );
    const jobId = createJob.job.id;
    await station.waitForJob(jobId, (job) => expect(JSON.stringify(job.steps[0]?.log)).toContain('up'), 60);
    expect((await trainyard(['exec', jobId, '--', 'true'])).code).toBe(0);
    await agent.kill('SIGKILL');
    await eventually(async () => {
      const { code, stderr } = await trainyard(['exec', jobId, '--', 'true']);
      expect([code, stderr]).toEqual([4, expect.stringContaining('has no tunnel to this gateway')]);
    });
  });
});

/** Waits until no process of the machine with this command line belongs to the job. */
async function expectNone(command: string, jobId: string): Promise<void> {
  await eventually(async () => {
    const rows = await listProcesses();
    const texts = await Promise.all(
      rows
        .filter(({ isZombie }) => !isZombie)
        .map(async ({ pid }) => ({
          line: (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim(),
          env: await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
        })),
    );
    expect(texts.filter(({ line, env }) => line === command && env.includes(jobId))).toEqual([]);
  });
}
