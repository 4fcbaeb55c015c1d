/** How fast a key may ask, as an operator sets it, at a gateway that is a process, and what the project's own clients make of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/fetch.ts';
import { downloadFile, uploadFile } from '../../src/client/files.ts';
import { ViewerDocument } from '../../src/client/generated.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const RATE = 20;
const BURST = 5;

let gateway: Gateway;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  const env = { TRAINYARD_KEY_RATE: String(RATE), TRAINYARD_KEY_BURST: String(BURST) };
  gateway = await startGateway({ database, env });
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

const client = () => createClient({ url: gateway.url, token: gateway.adminKey });

async function ask<T>(query: string, variables: object = {}): Promise<T> {
  for (;;) {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data } = (await response.json()) as { data: T }; // the test says what it asked for
    if (response.status !== 429) return data;
  }
}

describe('A key that asks too fast (P14)', () => {
  test('has all its requests answered by our client, at the rate that is set', async () => {
    const started = performance.now();
    const names = await Promise.all(Array.from({ length: 30 }, () => client().request(ViewerDocument, {})));
    expect(names).toHaveLength(30);
    expect(performance.now() - started).toBeGreaterThanOrEqual(((30 - BURST) / RATE) * 1_000 - 1);
  });

  test('is refused by the door of files as well, under a signed address too, and its transfers come through in the end', async () => {
    type Created = { createProject: { project: { id: string } }; createJob: { job: { id: string } } };
    const project = await ask<Created>(
      'mutation { createProject(input: { name: "p" }) { ... on CreateProjectPayload { project { id } } } }',
    );
    const job = await ask<Created>(
      'mutation($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
      { input: { name: 'j', projectId: project.createProject.project.id, steps: [{ name: 's' }] } },
    );
    const { createFragment } = await ask<{ createFragment: { fragment: { id: string }; uploadUrl: string } }>(
      'mutation($input: CreateFragmentInput!) { createFragment(input: $input) { ... on CreateFragmentPayload { fragment { id } uploadUrl } } }',
      { input: { jobId: job.createJob.job.id, type: 'DATA', filename: 'x.bin' } },
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
