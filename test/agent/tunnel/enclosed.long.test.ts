/** Commands and ports of isolated steps, and of steps in containers. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../../support/engine.ts';
import { eventually } from '../eventually.ts';
import { logOf, openStation, type Station } from '../station.ts';
import { runAt } from './commands.ts';
import { fetchStep, freePort, nodeStep } from './servers.ts';

const engine = await openEngine();
if (typeof engine === 'string') console.warn(engine);
const image = typeof engine === 'string' ? '' : engine.image;
const canIsolate = process.platform === 'linux' && process.getuid?.() === 0;

const commandLines = () => execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null; true'], { encoding: 'latin1' });

async function startStep(station: Station, container: string | Record<string, unknown>): Promise<string> {
  const jobId = await station.createJob([container]);
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('up'), 120);
  return jobId;
}

describe.skipIf(!canIsolate)('An isolated step', () => {
  let station: Station;
  beforeAll(async () => {
    station = await openStation();
    station.startAgent({ slots: 4, isolate: {} });
  });
  afterAll(() => station?.close());

  test('has commands run as its own user, in its namespaces and work folder', async () => {
    const jobId = await startStep(station, 'echo mine > made; id -u > uid; echo up; exec sleep 600');
    const script = 'test "$(id -u)" = "$(cat uid)" && pwd && cat made && ls /proc | grep -c "^[0-9]*$" && ! chown root made 2>/dev/null';
    const { code, stdout, stderr } = await runAt(station, ['exec', jobId, '--', 'sh', '-c', script]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [folder, made, processes] = stdout.toString().split('\n');
    expect([folder, made]).toEqual(['/tmp/trainyard', 'mine']);
    // Its own few, not the machine's.
    expect(Number(processes)).toBeLessThan(12);
    expect((await runAt(station, ['exec', jobId, '--', 'sh', '-c', 'exit 9'])).code).toBe(9);
  });

  test('takes the commands with it when it ends', async () => {
    const jobId = await startStep(station, 'echo up; exec sleep 600');
    const running = runAt(station, ['exec', jobId, '--', 'sh', '-c', 'env -i setsid sleep 76543 & echo begun; wait']);
    await eventually(() => expect(commandLines()).toContain('76543'));
    await station.cancelJob(jobId);
    expect((await running).code).not.toBe(0);
    await eventually(() => expect(commandLines()).not.toContain('76543'));
  });

  test('has its HTTP port reached', async () => {
    const port = await freePort();
    const program = `require("node:http").createServer((request, response) => response.end("isolated")).listen(${port}, "127.0.0.1", () => console.log("up"))`;
    const jobId = await startStep(station, { command: nodeStep(program), http: { port } });
    expect(await (await fetchStep(station, jobId)).text()).toBe('isolated');
  });
});

describe.skipIf(typeof engine === 'string')('A step in a container', () => {
  let station: Station;
  beforeAll(async () => {
    station = await openStation();
    station.startAgent({ slots: 4, graceSeconds: 2 });
  });
  afterAll(async () => {
    await station?.close();
    if (typeof engine !== 'string') await engine.close();
  });
  const sh = (script: string) => ({ image, entrypoint: 'sh -c', command: `'${script}'` });

  test('has commands run in the container, with its environment', async () => {
    const jobId = await startStep(station, {
      ...sh('echo inside > /made; echo up; exec sleep 600'),
      env: [{ name: 'OWN', value: 'kept' }],
    });
    const { code, stdout } = await runAt(station, ['exec', jobId, '--', 'sh', '-c', 'cat /made; echo $OWN $TRAINYARD_JOB_ID; exit 5']);
    expect([code, stdout.toString()]).toEqual([5, `inside\nkept ${jobId}\n`]);
  });

  test('ends a command whose client has gone, and all when it ends itself', async () => {
    const jobId = await startStep(station, sh('echo up; exec sleep 600'));
    const interrupt = new AbortController();
    const running = runAt(station, ['exec', jobId, '--', 'sleep', '65432'], { signal: interrupt.signal });
    await eventually(() => expect(commandLines()).toContain('65432'));
    interrupt.abort();
    await running;
    await eventually(() => expect(commandLines()).not.toContain('65432'), { timeout: 20_000 });
    const other = runAt(station, ['exec', jobId, '--', 'sleep', '54321']);
    await eventually(() => expect(commandLines()).toContain('54321'));
    await station.cancelJob(jobId);
    expect((await other).code).not.toBe(0);
    await eventually(() => expect(commandLines()).not.toContain('54321'), { timeout: 20_000 });
  });

  test.each([true, false])('has its HTTP port reached, with requiresAuth: %s', async (requiresAuth) => {
    const port = await freePort();
    const script = `mkdir -p /tmp/www; echo hello > /tmp/www/index.html; echo up; exec httpd -f -p ${port} -h /tmp/www`;
    const jobId = await startStep(station, { ...sh(script), http: { port, requiresAuth } });
    await eventually(async () => expect(await (await fetchStep(station, jobId)).text()).toBe('hello\n'));
  });
});
