/**
 * Request rates as an operator sets them, at a gateway process, and how the project's own clients
 * handle them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ViewerDocument } from '../../src/client/generated.ts';
import { downloadFile, uploadFile } from '../../src/client/node/files.ts';
import { createRequester } from '../../src/client/request.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const RATE = 20;
const BURST = 5;

let gateway: Gateway;

function startWith(rate: number, burst: number) {
  beforeAll(async () => {
    const database = await createSqliteDatabase();
    const env = { TRAINYARD_KEY_RATE: String(rate), TRAINYARD_KEY_BURST: String(burst) };
    gateway = await startGateway({ database, env });
    return async () => {
      await gateway.stop();
      await database.remove();
    };
  });
}

const client = () => createRequester({ url: gateway.url, token: gateway.adminKey });

const post = (query: string, variables: object = {}) =>
  fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` },
    body: JSON.stringify({ query, variables }),
  });

async function ask<T>(query: string, variables: object = {}): Promise<T> {
  for (;;) {
    const response = await post(query, variables);
    const { data } = (await response.json()) as { data: T }; // the test says what it asked for
    if (response.status !== 429) return data;
  }
}

async function createJob(settings: object = {}): Promise<string> {
  type Created = { createProject: { project: { id: string } }; createJob: { job: { id: string } } };
  const project = await ask<Created>('mutation { createProject(input: { name: "p" }) { ... on CreateProjectPayload { project { id } } } }');
  const { createJob } = await ask<Created>(
    'mutation($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
    { input: { name: 'j', projectId: project.createProject.project.id, steps: [{ name: 's' }], settings } },
  );
  return createJob.job.id;
}

describe('A key that asks too fast (P14)', () => {
  startWith(RATE, BURST);

  test('has all its requests answered with our client, at the configured rate', async () => {
    const started = performance.now();
    const names = await Promise.all(Array.from({ length: 30 }, () => client().request(ViewerDocument, {})));
    expect(names).toHaveLength(30);
    expect(performance.now() - started).toBeGreaterThanOrEqual(((30 - BURST) / RATE) * 1_000 - 1);
  });

  test('is refused by the file endpoint as well, with a signed URL too, and its transfers succeed in the end', async () => {
    const jobId = await createJob();
    const { createFragment } = await ask<{ createFragment: { fragment: { id: string }; uploadUrl: string } }>(
      'mutation($input: CreateFragmentInput!) { createFragment(input: $input) { ... on CreateFragmentPayload { fragment { id } uploadUrl } } }',
      { input: { jobId, type: 'DATA', filename: 'x.bin' } },
    );
    const folder = createFolder('rates');
    writeFileSync(join(folder, 'x'), 'the bytes');
    const target = { url: gateway.url, token: gateway.adminKey };
    await uploadFile(target, createFragment.uploadUrl, join(folder, 'x'));
    const { node } = await ask<{ node: { downloadUrl: string } }>(
      `{ node(id: "${createFragment.fragment.id}") { ... on Fragment { downloadUrl } } }`,
    );
    const answers = await Promise.all(Array.from({ length: 200 }, () => fetch(`${gateway.url}${node.downloadUrl}`)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(BURST);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused)
      expect([headers.get('retry-after'), headers.get('ratelimit-policy')]).toEqual(['1', '"key";q=5;w=1']);
    expect(await refused[0]?.json()).toMatchObject({
      errors: [{ extensions: { code: 'LIMIT_EXCEEDED', limit: 'keyRate', allowed: RATE, asked: 1 } }],
    });
    await downloadFile(target, node.downloadUrl, { path: join(folder, 'y') });
  });
});

describe('A key that asks for long documents (P14)', () => {
  startWith(1, 20);

  test('pays for them once they are read, and waits at most as long as a full bucket takes', async () => {
    const id = await createJob({ notes: 'x'.repeat(200_000) });
    const documents = `{ job(id: "${id}") { a: settings b: settings c: settings d: settings } }`;
    expect((await post(documents)).status).toBe(200);
    const refused = await post('{ viewer { kind } }');
    expect(refused.status).toBe(429);
    const { errors } = (await refused.json()) as { errors: { extensions: { limit: string; retryAfterMs: number } }[] }; // as every refusal
    expect(errors[0]?.extensions.limit).toBe('keyRate');
    expect(errors[0]?.extensions.retryAfterMs).toBeLessThanOrEqual(21_000);
  });
});
