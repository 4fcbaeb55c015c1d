/** Steps that are isolated: needs Linux, root and util-linux (P16, P17). */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isolate } from '../../../src/agent/process/isolation.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { logOf, openStation } from '../station.ts';

let problem: string | null = null;
beforeAll(async () => {
  problem = await isolate({ workDir: createFolder('isolation') }).then(
    () => null,
    (error: Error) => error.message,
  );
});

describe('An isolated step', () => {
  test('sees no processes, temporary files or folders of others, has no rights, and uploads its files', async ({ skip }) => {
    if (problem !== null) return skip(problem);
    const station = await openStation();
    const workDir = createFolder('isolated');
    const secret = join(createFolder('secret'), 'file');
    writeFileSync(secret, 'secret');
    const agent = station.startAgent({ workDir, isolate: {}, slots: 2 });
    const command = [
      'id -u',
      'grep NoNewPrivs: /proc/self/status',
      'grep CapBnd: /proc/self/status',
      'echo processes $(ls /proc | grep -c "^[0-9]")',
      `ls ${workDir} || echo no folder`,
      `cat ${secret} || echo no file`,
      'ls -A /tmp',
      'pwd; echo $HOME',
      'echo result > fragments/result.txt',
      `echo '{"iteration": 1, "loss": 0.5}' >> $TRAINYARD_METRICS`,
      'setsid sleep 600 & exit 0',
    ].join('; ');
    const jobId = await station.createJob([`sh -c '${command.replaceAll("'", "'\\''")}'; true`]);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'), 60);
    const log = logOf(job.steps[0]);
    expect(log).toMatch(/^64\d\d\d\n/);
    expect(log).toContain('NoNewPrivs:\t1\n');
    expect(log).toContain('CapBnd:\t0000000000000000\n');
    expect(Number(/processes (\d+)/.exec(log)?.[1])).toBeLessThan(12);
    expect(log).toContain('no folder');
    expect(log).toContain('no file');
    expect(log).toContain('/tmp/trainyard\n/tmp/trainyard\n');
    expect(job.fragments.edges.map(({ node }) => [node.filename, node.text])).toEqual([['result.txt', 'result\n']]);
    expect(job.metricSeries.points).toMatchObject([{ iteration: 1, value: 0.5 }]);
    expect(existsSync('/tmp/trainyard')).toBe(false);
    expect(await agent.stop()).toBe(0);
    expect(readdirSync(join(workDir, 'steps'))).toEqual([]);
    await station.close();
  });

  test('runs as the requested user, and its agent does not start if there is no such user', async ({ skip }) => {
    if (problem !== null) return skip(problem);
    const station = await openStation();
    const agent = station.startAgent({ isolate: { user: 'nobody-of-this-name' } });
    await eventually(() => expect(agent.events.at(-1)).toMatchObject({ kind: 'STOPPED' }));
    expect(agent.events.at(-1)?.message).toMatch(/cannot be isolated here/);
    expect(await agent.stop()).toBe(1);
    const named = station.startAgent({ isolate: { user: 'nobody' } });
    const jobId = await station.createJob(['id -un']);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'), 60);
    expect(logOf(job.steps[0])).toBe('nobody\n');
    await named.stop();
    await station.close();
  });
});
