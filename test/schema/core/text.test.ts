/**
 * Half of a surrogate pair is not a character. No database can store it, so every input refuses it
 * (P14).
 */
import { graphql } from 'graphql';
import { expect, test } from 'vitest';
import { createContext } from '../../../src/schema/core/context.ts';
import { schema } from '../../../src/schema/index.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

const HALF = 'a\ud800b';

describeOnGround('Text that is no text', (on) => {
  async function ask(name: string, input: Record<string, unknown>) {
    const { seed, wakeups } = on();
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
    const answer = await graphql({
      schema,
      source: `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on Error { ... on InvalidInputError { issues { path message } } } } }`,
      variableValues: { input },
      contextValue: createContext({ domain: seed.domain, wakeups }, admin),
    });
    // The test's own selection.
    const result = answer.data?.[name] as { __typename: string; issues?: { path: string[] }[] } | undefined;
    return { code: answer.errors?.[0]?.extensions.code, message: answer.errors?.[0]?.message, ...result };
  }

  const step = [{ name: 'Train' }];
  test.each<[string, string, (ids: { projectId: string; leaseToken: string }) => Record<string, unknown>, string]>([
    ['a name', 'createProject', () => ({ name: HALF }), 'name'],
    ['a description', 'createJob', ({ projectId }) => ({ projectId, name: 'A', description: HALF, steps: step }), 'description'],
    [
      'a key of a label',
      'createJob',
      ({ projectId }) => ({ projectId, name: 'A', labels: [{ key: HALF, value: 'x' }], steps: step }),
      'labels.0.key',
    ],
    [
      'a value in settings',
      'createJob',
      ({ projectId }) => ({ projectId, name: 'A', settings: { a: [1, { b: HALF }] }, steps: step }),
      'settings.a.1.b',
    ],
    [
      'a key in settings',
      'createJob',
      ({ projectId }) => ({ projectId, name: 'A', settings: { a: { [HALF]: 1 } }, steps: step }),
      'settings.a.a\ufffdb',
    ],
    ['an idempotency key', 'createJob', ({ projectId }) => ({ projectId, name: 'A', idempotencyKey: HALF, steps: step }), 'idempotencyKey'],
    [
      'a variable of a container',
      'createJob',
      ({ projectId }) => ({ projectId, name: 'A', steps: [{ name: 'T', container: { image: 'i', env: [{ name: 'A', value: HALF }] } }] }),
      'steps.0.container.env.0.value',
    ],
    ['a name of a metric', 'reportMetrics', ({ leaseToken }) => ({ leaseToken, metrics: [{ name: HALF, value: 1 }] }), 'metrics.0.name'],
    ['a message', 'reportProgress', ({ leaseToken }) => ({ leaseToken, statusMessage: HALF }), 'statusMessage'],
    ['a filename', 'createFragment', ({ projectId }) => ({ projectId, filename: HALF, type: 'DATA', text: 'x' }), 'filename'],
    ['a text of a file', 'createFragment', ({ projectId }) => ({ projectId, filename: 'f.txt', type: 'DATA', text: HALF }), 'text'],
    ['a label of a device', 'registerDevice', () => ({ name: 'd', labels: [{ key: 'a', value: HALF }] }), 'labels.0.value'],
    ['a name of a key', 'createApiKey', () => ({ name: HALF }), 'name'],
  ])('is refused with its path, and nothing is stored: %s', async (_, name, inputOf, path) => {
    const { seed, readAll } = on();
    const job = await seed.createJob();
    const { lease } = await seed.claim(job);
    const before = await readAll();
    const answer = await ask(name, inputOf({ projectId: seed.project.id, leaseToken: lease.token }));
    expect(answer).toMatchObject({ __typename: 'InvalidInputError', issues: [{ path: path.split('.') }] });
    expect(await readAll()).toEqual(before);
  });

  test('is a malformed request where the mutation has no refusal for it', async () => {
    expect(await ask('cancelJob', { jobId: 'job_0', reason: HALF })).toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('reason'),
    });
  });

  test('is repaired in a log, which must take whatever a program prints', async () => {
    const { seed } = on();
    const job = await seed.createJob();
    const { lease } = await seed.claim(job);
    const log = [{ offset: 0, text: HALF }];
    expect(await ask('reportProgress', { leaseToken: lease.token, log })).toMatchObject({ __typename: 'ReportProgressPayload' });
    const { db, t } = seed.domain.store.read;
    const chunks = (await db.select().from(t.logChunks)).filter(({ jobId }) => jobId === job.job.id);
    expect(chunks.map(({ text, size }) => [text, size])).toEqual([['a\ufffdb', 5]]);
  });
});
