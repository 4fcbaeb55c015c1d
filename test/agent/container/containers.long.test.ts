/** Steps in real containers: every field of Container, and every way out of one (P16, P17, P18). */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../../support/engine.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { type JobSeen, logOf, openStation, type Station } from '../station.ts';

const engine = await openEngine();
if (typeof engine === 'string') console.warn(engine);
const image = typeof engine === 'string' ? '' : engine.image;
let station: Station;

const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' });
const containers = () => docker('ps', '--all', '--quiet', '--filter', 'label=trainyard.job').trim();

/** The job once it has ended, with any status. */
const end = (jobId: string) => station.waitForJob(jobId, ({ status }) => expect(status).toMatch(/SUCCEEDED|FAILED|CANCELLED/), 120);
const run = async (container: Record<string, unknown>): Promise<JobSeen> => end(await station.createJob([{ image, ...container }]));
const sh = (script: string) => ({ entrypoint: 'sh -c', command: `'${script.replaceAll("'", `'\\''`)}'` });

const succeeded = { outcome: 'SUCCEEDED', reason: 'COMPLETED', description: '', exitCode: 0 };
const lastOf = (job: JobSeen) => job.steps[0]?.attempts.at(-1);
/** What it printed. Fails with the reason if it did not succeed. */
function printed(job: JobSeen): string {
  expect({ ...lastOf(job), log: logOf(job.steps[0]) }).toMatchObject(succeeded);
  return logOf(job.steps[0]);
}

describe.skipIf(typeof engine === 'string')('a step in a container', () => {
  beforeAll(async () => {
    station = await openStation();
    station.startAgent({ slots: 2, graceSeconds: 5 });
  });
  afterAll(async () => {
    await station?.close();
    if (typeof engine !== 'string') await engine.close();
  });

  test('runs its command in the image, split into words as by a shell, and uploads its files', async () => {
    const job = await run({ command: `sh -c 'echo "$0" $1; echo result > /trainyard/fragments/result.txt' "a b" c` });
    expect(printed(job)).toBe('a b c\n');
    expect(job.fragments.edges.map(({ node }) => [node.filename, node.text])).toEqual([['result.txt', 'result\n']]);
  });

  test('gets its variables unchanged and the TRAINYARD_ ones, and the gateway accepts its token', async () => {
    const value = `a "b" 'c' #d = \\n ü 😀  `;
    const env = [
      { name: 'VALUE', value },
      { name: 'EMPTY', value: '' },
      { name: 'TRAINYARD_STEP_NUMBER', value: '99' },
    ];
    const read = `wget -q -O - --header "authorization: Bearer $TRAINYARD_TOKEN" --header "content-type: application/json" --post-data '{"query":"{ viewer { kind } }"}' $TRAINYARD_URL/graphql`;
    const log = printed(await run({ ...sh(`printf '%s|%s|%s\n' "$VALUE" "$EMPTY" "$TRAINYARD_STEP_NUMBER"; ${read}`), env }));
    expect(log).toContain(`${value}||0\n`);
    expect(log).toContain('"kind":');
  });

  test('shows its variables to nothing on the host: no docker program, helper or command line (P16)', async () => {
    const trap = join(createFolder('trap'), 'sprung');
    const names = [
      'LD_PRELOAD',
      'BASH_ENV',
      'ENV',
      'NODE_OPTIONS',
      'GIT_SSH_COMMAND',
      'PATH',
      'HOME',
      'DOCKER_HOST',
      'DOCKER_CONFIG',
      'HTTP_PROXY',
    ];
    const env = names.map((name) => ({ name, value: `${trap}; touch ${trap}` }));
    const jobId = await station.createJob([
      { image, ...sh('echo begun; /bin/busybox sleep 1; /bin/busybox env'), entrypoint: '/bin/busybox sh -c', env },
    ]);
    await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('begun'), 60);
    const lines = execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null; true'], { encoding: 'latin1', maxBuffer: 2 ** 26 });
    expect(lines).not.toContain(trap);
    const log = printed(await end(jobId));
    for (const name of names) expect(log).toContain(`${name}=${trap}`);
    expect(existsSync(trap)).toBe(false);
  });

  test('fails and names the variable if a value has a line break, which docker cannot pass on', async () => {
    const job = await run({ ...sh('env'), env: [{ name: 'PEM', value: 'a\nLD_PRELOAD=/x' }] });
    expect(lastOf(job)).toMatchObject({ outcome: 'FAILED', reason: 'DEVICE_REPORTED' });
    expect(lastOf(job)?.description).toMatch(/variable PEM .* line break/);
  });

  test('gets the memory, cores and shared memory that it asks for, and no more', async () => {
    const limits = 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max; cat cpu/cpu.cfs_quota_us cpu.max; df -k /dev/shm';
    const log = printed(await run({ ...sh(`(${limits}) 2>/dev/null; true`), resources: { memoryMb: 64, cpu: 0.5, shm: true } }));
    expect(log).toContain(String(64 * 1024 * 1024));
    expect(log).toMatch(/50000/);
    expect(log).toMatch(/shm\s+65536/);
  });

  test('sees host folders and engine volumes, read-only where requested', async () => {
    const folder = join(createFolder('host'), 'a b');
    mkdirSync(folder);
    writeFileSync(join(folder, 'in.txt'), 'from the host\n');
    const volume = `trainyard-test-${process.pid}`;
    const volumes = [
      { storage: folder, containerPath: '/in', isReadOnly: true },
      { storage: volume, containerPath: '/cache' },
    ];
    try {
      printed(await run({ ...sh('echo kept > /cache/a'), volumes }));
      const log = printed(await run({ ...sh('cat /in/in.txt /cache/a; touch /in/no || echo read-only'), volumes }));
      expect(log).toContain('from the host\nkept\n');
      expect(log).toContain('read-only\n');
    } finally {
      docker('volume', 'rm', '--force', volume);
    }
  });

  test('is built from a host folder, with its arguments', async () => {
    const context = createFolder('context');
    writeFileSync(join(context, 'Train'), `FROM ${image}\nARG VERSION\nENV VERSION=$VERSION\nCMD ["sh", "-c", "echo built $VERSION"]\n`);
    const job = await run({ image: null, build: { context, dockerfile: 'Train', properties: { VERSION: '7' } } });
    expect(printed(job)).toContain('built 7\n');
    const failed = await run({ image: null, build: { context, dockerfile: 'Other' } });
    expect(lastOf(failed)).toMatchObject({ outcome: 'FAILED', reason: 'DEVICE_REPORTED' });
    expect(lastOf(failed)?.description).toContain('could not be built');
  });

  test('ends with its exit code, or with the device’s reason if it could not run', async () => {
    const codes = [];
    for (const code of [1, 3, 125, 126, 127]) codes.push(lastOf(await run(sh(`exit ${code}`))));
    expect(codes.map((last) => [last?.reason, last?.exitCode])).toEqual([1, 3, 125, 126, 127].map((code) => ['EXIT_CODE', code]));
    for (const command of ['no-such-program', '/etc'])
      expect(lastOf(await run({ command }))).toMatchObject({
        reason: 'DEVICE_REPORTED',
        description: expect.stringContaining('no such command'),
      });
    expect(containers()).toBe('');
  });

  test('fails with OUT_OF_MEMORY when its process or a child of that exceeds the memory limit', async () => {
    for (const script of ['exec tail /dev/zero', 'tail /dev/zero; exit 1']) {
      const job = await run({ ...sh(script), resources: { memoryMb: 32 } });
      expect(lastOf(job)).toMatchObject({ outcome: 'FAILED', reason: 'OUT_OF_MEMORY' });
    }
    printed(await run({ ...sh('tail /dev/zero; echo coped'), resources: { memoryMb: 32 } }));
  });

  test('fails with IMAGE_PULL_FAILED and docker’s message when its image cannot be pulled', async () => {
    const job = await run({ image: 'localhost:1/nothing:1', command: 'true' });
    expect(lastOf(job)).toMatchObject({ outcome: 'FAILED', reason: 'IMAGE_PULL_FAILED', exitCode: null });
    expect(lastOf(job)?.description).toMatch(/localhost:1\/nothing:1.*refused/);
  });

  test('is asked to stop and gets its grace when it is cancelled', async () => {
    const jobId = await station.createJob([{ image, ...sh('trap "echo saved; exit 0" TERM; echo begun; while :; do sleep 0.1; done') }]);
    await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('begun'), 60);
    await station.cancelJob(jobId);
    const job = await end(jobId);
    expect(job.status).toBe('CANCELLED');
    expect(logOf(job.steps[0])).toContain('saved');
    expect(containers()).toBe('');
  });

  test('is killed after the grace with all that it started, if it ignores SIGTERM (P17)', async () => {
    const jobId = await station.createJob([
      { image, ...sh('setsid sleep 98765 </dev/null >/dev/null 2>&1 & trap "" TERM; echo begun; while :; do sleep 0.1; done') },
    ]);
    await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('begun'), 60);
    await station.cancelJob(jobId);
    expect((await end(jobId)).status).toBe('CANCELLED');
    await eventually(() => expect(containers()).toBe(''));
    expect(execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null; true'], { encoding: 'latin1' })).not.toContain('98765');
  });

  test('leaves no process behind when it ends (P17)', async () => {
    printed(await run(sh('setsid sleep 87654 </dev/null >/dev/null 2>&1 & echo done')));
    expect(execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null; true'], { encoding: 'latin1' })).not.toContain('87654');
    expect(containers()).toBe('');
  });

  test.each([true, false])('serves a port, with requiresAuth: %s, and its address is gone with it', async (requiresAuth) => {
    const port = 20_000 + (process.pid % 10_000);
    const script = `mkdir -p /tmp/www; echo hello > /tmp/www/index.html; echo begun; httpd -f -p ${port} -h /tmp/www`;
    const jobId = await station.createJob([{ image, ...sh(script), http: { port, requiresAuth } }]);
    const read = async () =>
      (await station.ask<{ job: { httpUrl: string | null } }>('query ($id: ID!) { job(id: $id) { httpUrl } }', { id: jobId })).job.httpUrl;
    const httpUrl = await eventually(async () => (await read()) ?? expect.fail('It has no address yet.'), { timeout: 30_000 });
    const headers = { authorization: `Bearer ${station.gateway.adminKey}` };
    const get = async (url: string) => {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(5_000) });
      return response.ok ? response.text() : expect.fail(await response.text());
    };
    // The gateway reaches either.
    expect(await eventually(() => get(`${station.gateway.url}/jobs/${jobId}/http/`))).toBe('hello\n');
    const outer = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
    if (requiresAuth) {
      expect(httpUrl).toBe(`/jobs/${jobId}/http/`);
      const published = /:(\d+)$/m.exec(docker('port', containers()))?.[1] ?? '';
      expect(await get(`http://127.0.0.1:${published}/`)).toBe('hello\n');
      if (outer !== undefined) await expect(get(`http://${outer}:${published}/`)).rejects.toThrow();
    } else {
      const { hostname: host, port: published } = new URL(httpUrl);
      expect(host).toBe(hostname().toLowerCase());
      expect(await get(`http://127.0.0.1:${published}/`)).toBe('hello\n');
      if (outer !== undefined) expect(await get(`http://${outer}:${published}/`)).toBe('hello\n');
    }
    await station.cancelJob(jobId);
    await end(jobId);
    expect(await read()).toBeNull();
  });

  // `true` has mostly ended before the agent looks at it for the first time.
  test.each(['sleep 1', 'true'])('records in its history when its container is created and when it runs: %s', async (script) => {
    const job = await run(sh(script));
    printed(job);
    const { step } = await station.ask<{ step: { transitions: { to: string; reason: string }[] } }>(
      'query ($id: ID!) { step(id: $id) { transitions { to reason } } }',
      { id: job.steps[0]?.id },
    );
    expect(step.transitions.map(({ reason }) => reason)).toEqual([
      'CREATED',
      'CLAIMED',
      'CONTAINER_CREATING',
      'CONTAINER_STARTED',
      'COMPLETED',
    ]);
  });

  test('reports what it consumes', async () => {
    const jobId = await station.createJob([{ image, ...sh('echo begun; while :; do :; done') }]);
    const { telemetry } = await station.waitForJob(jobId, (job) => expect(job.telemetry.length).toBeGreaterThan(1), 60);
    await station.cancelJob(jobId);
    await end(jobId);
    expect(telemetry.at(-1)?.cpu).toBeGreaterThan(0.05);
    expect(telemetry.at(-1)?.memoryMb).toBeGreaterThan(0);
  });

  test('is ended by the next agent if its own was killed, and then runs again, alone', async () => {
    const workDir = createFolder('killed');
    const label = { key: 'for', value: 'killed' };
    const first = station.startAgentProcess({ name: 'killed', leaseSeconds: 2, workDir, labels: [label] });
    const shared = createFolder('shared');
    const script = 'echo in >> /shared/log; while [ ! -e /shared/go ]; do sleep 0.1; done';
    const steps = [
      { name: 'a', container: { image, ...sh(script), volumes: [{ storage: shared, containerPath: '/shared' }] }, requiredLabels: [label] },
    ];
    const { createJob } = await station.ask<{ createJob: { job: { id: string } } }>(
      'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
      { input: { projectId: station.projectId, name: 'A job', steps } },
    );
    await eventually(() => expect(readFileSync(join(shared, 'log'), 'utf8')).toBe('in\n'), { timeout: 60_000 });
    const [left] = [containers()];
    expect(left).not.toBe('');
    await first.kill('SIGKILL');
    const second = station.startAgentProcess({ name: 'killed', leaseSeconds: 2, workDir, labels: [label] });
    await eventually(() => expect(readFileSync(join(shared, 'log'), 'utf8')).toBe('in\nin\n'), { timeout: 90_000 });
    expect(containers().split('\n')).toHaveLength(1);
    expect(containers()).not.toBe(left);
    writeFileSync(join(shared, 'go'), '');
    const job = await end(createJob.job.id);
    expect(job.steps[0]?.attempts.map(({ outcome }) => outcome)).toEqual(['LOST', 'SUCCEEDED']);
    expect(second.output()).toContain('Ended 1 step');
    expect(containers()).toBe('');
    await second.kill('SIGTERM');
  });
});
