/** Steps in real containers: every field of Container, and every way out of one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../support/engine.ts';
import { logOf, openStation, type Station } from './station.ts';

const engine = await openEngine();
if (typeof engine === 'string') console.warn(engine);
const image = typeof engine === 'string' ? '' : engine.image;
let station: Station;

/** The job at its end, whichever that is. */
const end = (jobId: string) => station.waitForJob(jobId, ({ status }) => expect(status).toMatch(/SUCCEEDED|FAILED|CANCELLED/), 60);

describe.skipIf(typeof engine === 'string')('a step in a container', () => {
  beforeAll(async () => {
    station = await openStation();
    station.startAgent({ slots: 2 });
  });
  afterAll(async () => {
    await station?.close();
    if (typeof engine !== 'string') await engine.close();
  });

  test('runs its command in the image, with its words split as a shell does, and hands in what it leaves', async () => {
    const jobId = await station.createJob([
      { image, command: `sh -c 'echo "$0" $1; pwd; echo result > /trainyard/fragments/result.txt' "a b" c` },
    ]);
    const job = await end(jobId);
    expect(job.steps[0]?.attempts[0]).toMatchObject({ outcome: 'SUCCEEDED', reason: 'COMPLETED', description: '', exitCode: 0 });
    expect(logOf(job.steps[0])).toContain('a b c\n');
    expect(job.fragments.edges.map(({ node }) => [node.filename, node.text])).toEqual([['result.txt', 'result\n']]);
  });
});
