/** The recipes of docs/clients.md, with other authors' clients, against a gateway process. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import * as apollo from '../../examples/clients/apollo.ts';
import { type LogData, logSubscription } from '../../examples/clients/documents.ts';
import * as sse from '../../examples/clients/graphql-sse.ts';
import * as ws from '../../examples/clients/graphql-ws.ts';
import * as relay from '../../examples/clients/relay.ts';
import type { Subscriber } from '../../examples/clients/resume.ts';
import * as urql from '../../examples/clients/urql.ts';
import { createSqliteDatabase, describeOnEachStore } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { hasCurl, runCurl } from './curl.ts';
import type { Recipe } from './recipe.ts';
import { type Line, lines, openLine, runJob, undo } from './scene.ts';

function bind<Client>(
  client: Client,
  {
    findJob,
    cancelJob,
    followLog,
  }: {
    findJob(client: Client, id: string): ReturnType<Recipe['findJob']>;
    cancelJob(client: Client, jobId: string): Promise<string>;
    followLog(client: Client, jobId: string, print: (text: string) => void): Promise<void>;
  },
): Recipe {
  return {
    findJob: (id) => findJob(client, id),
    cancelJob: (jobId) => cancelJob(client, jobId),
    followLog: (jobId, print) => followLog(client, jobId, print),
  };
}

const closeCodes: number[] = [];

const recipes: Readonly<Record<string, (line: Line) => Promise<Recipe>>> = {
  'graphql-ws': async (line) => {
    const client = ws.connect(line);
    undo.push(() => client.dispose());
    // Its types are those of a browser's events, not of Node's.
    client.on('closed', (event) => closeCodes.push((event as { code: number }).code));
    return bind(client, ws);
  },
  'graphql-sse': async (line) => {
    const client = sse.connect(line);
    undo.push(() => client.dispose());
    return bind(client, sse);
  },
  'Apollo Client': async (line) => {
    const client = await apollo.connect(line);
    undo.push(() => client.stop());
    return bind(client, apollo);
  },
  urql: async (line) => bind(urql.connect(line), urql),
  ...(hasCurl ? { curl: async (line: Line) => runCurl(line) } : {}),
  'relay-runtime': async (line) => bind(relay.connect(line), relay),
};

test.skipIf(hasCurl)('curl is not installed: its recipe is not run', () => {
  expect(hasCurl).toBe(false);
});

describeOnEachStore('A gateway', (_, create, dialect) => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ database: await create() });
    return () => gateway.stop();
  });

  test.each(Object.entries(recipes))('serves %s: a query, a mutation, a refusal', async (_name, open) => {
    const { jobId } = await runJob(gateway);
    const recipe = await open(await openLine(gateway));
    expect(await recipe.findJob(jobId)).toMatchObject({ id: jobId, name: 'A job', status: 'RUNNING' });
    expect(await recipe.findJob('job_none')).toBe(null);
    expect(await recipe.cancelJob('job_none')).toMatch(/^NOT_FOUND: ./);
    expect(await recipe.cancelJob(jobId)).toBe('CANCELLING');
  });

  test('gives each client every line once and in order, even if connections are cut and the gateway restarts (P7, P11)', async () => {
    const job = await runJob(gateway);
    const clients = await Promise.all(
      Object.entries(recipes).map(async ([name, open]) => {
        const line = await openLine(gateway);
        const recipe = await open(line);
        const heard: string[] = [];
        return { name, line, heard, done: recipe.followLog(job.jobId, (text) => heard.push(text.trim())) };
      }),
    );
    const allHeard = (count: number) =>
      vi.waitFor(
        () =>
          expect(Object.fromEntries(clients.map(({ name, heard }) => [name, heard.length]))).toEqual(
            Object.fromEntries(clients.map(({ name }) => [name, count])),
          ),
        { timeout: 20_000 },
      );
    let written = 0;
    const write = async (count: number) => {
      await job.write(...lines(count, written));
      written += count;
    };

    await write(5);
    await allHeard(written);
    for (let i = 0; i < (dialect === 'sqlite' ? 3 : 1); i++) {
      // Lines written at the cut may be in flight, seen, or not sent yet.
      const writing = write(7);
      for (const { line } of clients) line.cut();
      await writing;
      await write(3);
      await allHeard(written);
    }
    closeCodes.length = 0;
    await gateway.kill('SIGTERM');
    expect(closeCodes[0]).toBe(1012);
    await gateway.restart();
    await write(5);
    await job.complete();
    await Promise.all(clients.map(({ done }) => done));
    for (const { name, heard } of clients) expect([name, heard]).toEqual([name, lines(written)]);
  });
});

describe('A client that resubscribes with its first variables', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    const database = await createSqliteDatabase();
    gateway = await startGateway({ database });
    return async () => {
      await gateway.stop();
      await database.remove();
    };
  });

  test.each([
    ['graphql-ws', ws.connect],
    ['graphql-sse', sse.connect],
  ])('sees again what it saw, and misses nothing: %s without the wrapper (P7)', async (_name, connect) => {
    const job = await runJob(gateway);
    const line = await openLine(gateway);
    const client: Subscriber & { dispose(): unknown } = connect(line);
    undo.push(() => client.dispose());
    const heard: string[] = [];
    const done = new Promise<void>((resolve, reject) => {
      client.subscribe(
        { query: logSubscription, variables: { jobId: job.jobId } },
        {
          next: ({ data }) => heard.push(...(data as unknown as LogData).log.chunks.map(({ text }) => text.trim())), // the document selects it
          error: reject,
          complete: resolve,
        },
      );
    });
    await job.write(...lines(5));
    await vi.waitFor(() => expect(heard).toHaveLength(5));
    line.cut();
    await job.write(...lines(3, 5));
    await job.complete();
    await done;
    expect(heard).toEqual([...lines(5), ...lines(8)]);
  });
});
