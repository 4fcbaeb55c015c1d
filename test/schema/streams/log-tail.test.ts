/** The end of a log whose lines are overwritten, as progress bars do. */
import { beforeAll, expect, test } from 'vitest';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { askAs } from '../ask.ts';

describeOnEachStore('The last lines of a log', (open) => {
  let seed: Seed;
  let devices = 0;
  beforeAll(async () => {
    seed = await plantSeed(await open());
  });

  /** The last lines of a step that has written these chunks. */
  async function tailOf(chunks: readonly string[], lines: number): Promise<string> {
    const ask = askAs(seed.domain, admin);
    devices += 1;
    const device = await seed.registerDevice({ name: `device ${devices}` });
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job, 0, device);
    const log = `mutation ($input: AppendLogInput!) { appendLog(input: $input) { __typename } }`;
    let offset = 0;
    const pieces = [];
    for (const text of chunks) {
      pieces.push({ offset, text });
      offset += text.length;
    }
    for (let i = 0; i < pieces.length; i += 50)
      await askAs(seed.domain, device.principal)(log, { input: { leaseToken: lease.token, chunks: pieces.slice(i, i + 50) } });
    const query = `query ($id: ID!, $lines: Int!) { job(id: $id) { step(number: 0) { logTail(lines: $lines) } } }`;
    const answer = await ask<{ job: { step: { logTail: string } } }>(query, { id: job.id, lines });
    return answer.job.step.logTail;
  }

  test.each([
    ['a bar', ['start\n', '10%\r', '20%\r', '30%\r\n', 'done\n'], 2, '30%\ndone\n'],
    ['a bar that begins its line anew', ['start\n', '\r10%', '\r20%', '\n', 'done\n'], 3, 'start\n20%\ndone\n'],
    ['a bar that is not ended', ['start\n', '\r10%', '\r20%'], 1, '20%'],
    ['line breaks of Windows', ['one\r', '\ntwo\r\n'], 5, 'one\ntwo\n'],
    [
      'a bar of more chunks than are read at once',
      ['start\n', ...Array.from({ length: 300 }, (_, i) => `\r${i}`), '\nend\n'],
      3,
      'start\n299\nend\n',
    ],
  ])('count each line once, as its last write left it: %s', async (_case, chunks, lines, tail) => {
    expect(await tailOf(chunks, lines)).toBe(tail);
  });
});
