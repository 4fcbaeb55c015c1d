/** A job's files by name: paths, taken names, and what replaces what (P18). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logOf, openStation, type Station } from '../station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

interface Created {
  readonly __typename: string;
  readonly fragment?: { id: string; filename: string; status: string };
  readonly uploadUrl?: string | null;
  readonly issues?: ReadonlyArray<{ path: string[] }>;
  readonly message?: string;
}

async function create(input: Record<string, unknown>): Promise<Created> {
  const { createFragment } = await station.ask<{ createFragment: Created }>(
    `mutation ($input: CreateFragmentInput!) { createFragment(input: $input) { __typename
      ... on CreateFragmentPayload { fragment { id filename status } uploadUrl }
      ... on Error { message } ... on InvalidInputError { issues { path } } } }`,
    { input: { type: 'DATA', ...input } },
  );
  return createFragment;
}

const put = (url: string, body: string) => fetch(`${station.gateway.url}${url}`, { method: 'PUT', body });

/** The content of the job's file with this name. */
async function current(jobId: string, filename: string): Promise<string | null> {
  const { job } = await station.ask<{ job: { latestFragment: { text: string } | null } }>(
    'query ($jobId: ID!, $filename: String!) { job(id: $jobId) { latestFragment(filename: $filename) { text } } }',
    { jobId, filename },
  );
  return job.latestFragment?.text ?? null;
}

describe('files that steps leave', () => {
  test('keep their paths in subfolders, and one whose name is taken is uploaded under its step (P18)', async () => {
    const agent = station.startAgent();
    const write = (text: string) =>
      `mkdir -p fragments/plots; echo ${text} > fragments/result.json; echo ${text} > fragments/plots/loss.txt`;
    const jobId = await station.createJob([write('one'), write('two'), 'rmdir fragments']);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    const files = job.fragments.edges.map(({ node }) => [node.filename, node.text]).sort();
    expect(files).toEqual([
      ['plots/loss.txt', 'one\n'],
      ['result.json', 'one\n'],
      ['steps/1/plots/loss.txt', 'two\n'],
      ['steps/1/result.json', 'two\n'],
    ]);
    expect(logOf(job.steps[1])).toContain(
      '"fragments/result.json" is uploaded as "steps/1/result.json": the job has a file of this name already.\n',
    );
    expect(logOf(job.steps[2])).toBe('The fragments folder is gone: nothing is uploaded.\n');
    const url = job.fragments.edges.find(({ node }) => node.filename === 'plots/loss.txt')?.node.downloadUrl ?? '';
    const answer = await fetch(`${station.gateway.url}${url}`);
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="loss.txt"; filename*=UTF-8''loss.txt`);
    expect(await answer.text()).toBe('one\n');
    await agent.stop();
  });

  test('are left out and noted if the gateway refuses their names, and the step succeeds (P18)', async () => {
    const agent = station.startAgent();
    const long = Array.from({ length: 9 }, () => 'd'.repeat(120)).join('/');
    const command = `cd fragments; echo kept > kept; echo x > "$(printf 'a\\nb')"; echo x > 'back\\slash'; mkdir -p ${long}; echo x > ${long}/x`;
    const jobId = await station.createJob([command]);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(job.fragments.edges.map(({ node }) => node.filename)).toEqual(['kept']);
    const lines = logOf(job.steps[0]).split('\n');
    expect(lines).toContain('"fragments/a\uFFFDb" is not uploaded: its name must not contain control characters.');
    expect(lines).toContain('"fragments/back\\slash" is not uploaded: its name must not contain a backslash.');
    expect(lines).toContainEqual(
      expect.stringMatching(/^"fragments\/d+.*…" is not uploaded: its name must have at most \d+ characters; it has 1090\.$/),
    );
    await agent.stop();
  });
});

describe('a filename', () => {
  test('is a relative path of names that leads nowhere else (P14)', async () => {
    const jobId = await station.createJob(['true']);
    const wrong = [
      '/a',
      'a/',
      'a//b',
      '../a',
      'a/../b',
      './a',
      'a/.',
      '.',
      '..',
      '...',
      'a/ /b',
      'a\\b',
      'a\nb',
      `a/${'é'.repeat(128)}`,
      '',
    ];
    for (const filename of wrong) {
      const { __typename, issues } = await create({ jobId, filename, text: 'x' });
      expect([filename, __typename, issues?.[0]?.path]).toEqual([filename, 'InvalidInputError', ['filename']]);
    }
    for (const filename of ['a', 'plots/deep/loss.png', '.hidden/..a', 'a b/c.d'])
      expect((await create({ jobId, filename, text: 'x' })).fragment?.filename).toBe(filename);
  });

  test('is refused if it is taken, unless the new file is to replace the old one', async () => {
    const jobId = await station.createJob(['true']);
    await create({ jobId, filename: 'a/b', text: 'old' });
    expect((await create({ jobId, filename: 'A/B', text: 'new' })).__typename).toBe('AlreadyExistsError');
    expect((await create({ jobId, filename: 'a/b', text: 'new', ifExists: 'REPLACE' })).fragment?.status).toBe('READY');
    expect(await current(jobId, 'a/b')).toBe('new');
  });

  test('belongs to the older file until the newer one is complete and takes its place', async () => {
    const jobId = await station.createJob(['true']);
    await create({ jobId, filename: 'best', text: 'old' });
    const broken = await create({ jobId, filename: 'best', ifExists: 'REPLACE', sizeBytes: 9 });
    const newer = await create({ jobId, filename: 'best', ifExists: 'REPLACE' });
    const newest = await create({ jobId, filename: 'best', ifExists: 'REPLACE' });
    expect((await put(broken.uploadUrl ?? '', 'short')).status).toBe(422);
    expect(await current(jobId, 'best')).toBe('old');
    // Announced at the same time: the last one to be complete stays.
    expect((await put(newest.uploadUrl ?? '', 'newest')).status).toBe(200);
    expect(await current(jobId, 'best')).toBe('newest');
    expect((await put(newer.uploadUrl ?? '', 'newer')).status).toBe(200);
    expect(await current(jobId, 'best')).toBe('newer');
    const { job } = await station.ask<{ job: { fragments: { totalCount: number } } }>(
      'query ($jobId: ID!) { job(id: $jobId) { fragments(first: 9, filter: {statuses: [READY]}) { totalCount } } }',
      { jobId },
    );
    expect(job.fragments.totalCount).toBe(1);
  });

  test('lets a device replace another step’s file, but not one that a user uploaded (P15)', async () => {
    const jobId = await station.createJob(['true', 'true']);
    await create({ jobId, filename: 'input', text: 'a person’s' });
    const { registerDevice } = await station.ask<{ registerDevice: { apiKey: string } }>(
      'mutation ($input: RegisterDeviceInput!) { registerDevice(input: $input) { ... on RegisterDevicePayload { apiKey } } }',
      { input: { projectId: station.projectId, name: 'replacing', kind: 'WORKER' } },
    );
    const asDevice = async <T>(query: string, input: Record<string, unknown>): Promise<T> => {
      const response = await fetch(`${station.gateway.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${registerDevice.apiKey}` },
        body: JSON.stringify({ query, variables: { input } }),
      });
      return (await response.json()) as T; // by the query
    };
    const claim = async (stepNumber: number) => {
      const { data } = await asDevice<{ data: { claimStep: { lease: { token: string } } } }>(
        'mutation ($input: ClaimStepInput!) { claimStep(input: $input) { ... on ClaimStepPayload { lease { token } } } }',
        { jobId, stepNumber },
      );
      return data.claimStep.lease.token;
    };
    const replace = async (leaseToken: string, filename: string, text: string) =>
      JSON.stringify(
        await asDevice('mutation ($input: CreateFragmentInput!) { createFragment(input: $input) { __typename } }', {
          ...{ jobId, leaseToken, filename, text, type: 'DATA', ifExists: 'REPLACE' },
        }),
      );
    const first = await claim(0);
    expect(await replace(first, 'result', 'one')).toContain('CreateFragmentPayload');
    expect(await replace(first, 'input', 'a step’s')).toContain('FORBIDDEN');
    await asDevice('mutation ($input: CompleteStepInput!) { completeStep(input: $input) { __typename } }', { leaseToken: first });
    expect(await replace(await claim(1), 'result', 'two')).toContain('CreateFragmentPayload');
    expect(await current(jobId, 'input')).toBe('a person’s');
    expect(await current(jobId, 'result')).toBe('two');
  });
});
