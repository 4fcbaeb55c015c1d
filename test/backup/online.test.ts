/**
 * A backup of a gateway at work, taken and restored with the commands of an operator (P1, P7, P8).
 */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LogDocument } from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import { runCommand } from '../cli/processes.ts';
import { ask } from '../e2e/asking.ts';
import { createPostgresDatabase, createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const WRITERS = 4;
/** Four processes start in sequence, on a machine that may be busy. */
const TIMEOUT_MS = 240_000;
const lineOf = (writer: number, number: number) => `writer ${writer} line ${number}\n`;

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('On $dialect', ({ create }) => {
  const open: { stop(): Promise<void> }[] = [];
  const remove: TestDatabase[] = [];
  afterEach(async () => {
    for (const gateway of open.splice(0)) await gateway.stop();
    for (const database of remove.splice(0)) await database.remove();
  });
  const makeDatabase = async () => {
    const database = await create();
    remove.push(database);
    return database;
  };
  const start = async (database: TestDatabase): Promise<Gateway> => {
    const gateway = await startGateway({ database });
    open.push(gateway);
    return gateway;
  };
  const flagsOf = ({ folder, url }: TestDatabase) => ['--data-dir', folder, ...(url === null ? [] : ['--database-url', url])];

  test(
    `a backup under ${WRITERS} writers holds all that was answered before it began, and work goes on where it is restored (P1, P7, P8)`,
    async () => {
      const source = await makeDatabase();
      const gateway = await start(source);
      const request = async <T>(of: Gateway, document: string, input: Record<string, unknown>): Promise<T> => {
        const { data, errors } = await ask(of, of.adminKey, document, { input });
        if (!data) throw new Error(JSON.stringify(errors));
        return Object.values(data)[0] as T; // one field, whose type the caller knows
      };
      const { project } = await request<{ project: { id: string } }>(
        gateway,
        'mutation ($input: CreateProjectInput!) { createProject(input: $input) { ... on CreateProjectPayload { project { id } } } }',
        { name: 'Busy' },
      );
      const append = 'mutation ($input: AppendLogInput!) { appendLog(input: $input) { ... on AppendLogPayload { nextLogOffset } } }';
      const writers = await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          const { job } = await request<{ job: { id: string } }>(
            gateway,
            'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
            { projectId: project.id, name: `Job ${writer}`, steps: [{ name: 'One' }] },
          );
          const { lease } = await request<{ lease: { token: string } }>(
            gateway,
            'mutation ($input: ClaimStepInput!) { claimStep(input: $input) { ... on ClaimStepPayload { lease { token } } } }',
            { jobId: job.id, stepNumber: 0, leaseSeconds: 600 },
          );
          return { writer, jobId: job.id, leaseToken: lease.token, answered: 0, offset: 0 };
        }),
      );
      let isStopping = false;
      const writing = writers.map(async (mine) => {
        while (!isStopping) {
          const text = lineOf(mine.writer, mine.answered);
          const chunks = [{ offset: mine.offset, text, stream: 'STDOUT' }];
          await request(gateway, append, { leaseToken: mine.leaseToken, chunks });
          mine.answered++;
          mine.offset += text.length;
        }
      });
      const [watched] = writers;
      if (!watched) throw new Error('There are writers.');
      const frames: { cursor: string; lines: number }[] = [];
      const leaving = new AbortController();
      const reading = (async () => {
        const target = { url: gateway.url, token: gateway.adminKey };
        let lines = 0;
        for await (const frame of subscribe(target, LogDocument, { jobId: watched.jobId }, { signal: leaving.signal })) {
          for (const { text } of frame.chunks) expect(text).toBe(lineOf(watched.writer, lines++));
          expect(frame.missed).toBe(0);
          frames.push({ cursor: frame.cursor, lines });
        }
      })();
      const reached = async (isThere: () => boolean) => {
        while (!isThere()) await new Promise(setImmediate);
      };
      await reached(() => writers.every(({ answered }) => answered >= 20) && frames.length > 2);

      const answeredBefore = writers.map(({ answered }) => answered);
      const folder = join(createFolder('backup'), 'taken');
      const taken = await runCommand(source.folder, ['backup', folder, '--json', ...flagsOf(source)], {});
      expect(taken, taken.stderr).toMatchObject({ code: 0 });
      const answeredAfter = writers.map(({ answered }) => answered);
      expect(Math.min(...answeredAfter.map((answered, i) => answered - (answeredBefore[i] ?? 0)))).toBeGreaterThan(0);
      // More than the backup can hold, and read by a subscriber.
      await reached(() => (frames.at(-1)?.lines ?? 0) > (answeredAfter[0] ?? 0) + 1);
      isStopping = true;
      await Promise.all(writing);
      leaving.abort();
      await reading.catch(() => {});
      await gateway.stop();

      const target = await makeDatabase();
      const restored = await runCommand(target.folder, ['restore', folder, ...flagsOf(target)], {});
      expect(restored, restored.stderr).toMatchObject({ code: 0 });
      const again = await start(target);
      const query = 'query ($id: ID!) { job(id: $id) { status steps { logTail(lines: 10000) } } }';
      const jobOf = async (id: string) => {
        const { data } = await ask(again, again.adminKey, query, { id });
        return data?.job as { status: string; steps: { logTail: string }[] }; // what the query asks for
      };
      for (const [i, { writer, jobId, leaseToken }] of writers.entries()) {
        const text = (await jobOf(jobId)).steps[0]?.logTail ?? '';
        const lines = text.split('\n').length - 1;
        expect(text).toBe(Array.from({ length: lines }, (_, number) => lineOf(writer, number)).join(''));
        expect(lines).toBeGreaterThanOrEqual(answeredBefore[i] ?? 0);
        expect(lines).toBeLessThanOrEqual((answeredAfter[i] ?? 0) + 1);
        // The device continues from where the restored store is.
        const sent = { leaseToken, chunks: [{ offset: text.length, text: 'after\n', stream: 'STDOUT' }] };
        expect(await request(again, append, sent)).toEqual({ nextLogOffset: text.length + 6 });
        const complete =
          'mutation ($input: CompleteStepInput!) { completeStep(input: $input) { ... on CompleteStepPayload { step { status } } } }';
        expect(await request(again, complete, { leaseToken })).toEqual({ step: { status: 'SUCCEEDED' } });
        expect((await jobOf(jobId)).status).toBe('SUCCEEDED');
        if (jobId !== watched.jobId) continue;
        // A reader from before the backup continues without a gap; a reader of lost entries is told
        // so.
        const from = frames.findLast((frame) => frame.lines <= lines);
        const resumed: string[] = [];
        for await (const frame of subscribe({ url: again.url, token: again.adminKey }, LogDocument, { jobId, after: from?.cursor ?? '' })) {
          expect(frame.missed).toBe(0);
          resumed.push(...frame.chunks.map((chunk) => chunk.text));
        }
        const expected = Array.from({ length: lines - (from?.lines ?? 0) }, (_, n) => lineOf(writer, (from?.lines ?? 0) + n));
        expect(resumed).toEqual([...expected, 'after\n']);
        const beyond = subscribe({ url: again.url, token: again.adminKey }, LogDocument, { jobId, after: frames.at(-1)?.cursor ?? '' });
        await expect(beyond.next()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      }
    },
    TIMEOUT_MS,
  );
});
