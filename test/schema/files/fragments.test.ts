import { beforeEach, expect, test } from 'vitest';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

const create = `mutation ($input: CreateFragmentInput!) { createFragment(input: $input) {
  __typename
  ... on CreateFragmentPayload { uploadUrl uploadExpiresAt fragment { id filename name type status contentType sizeBytes sha256 downloadUrl text
    project { id } job { id } step { number } attempt device { id } readyAt } }
  ... on Error { code message }
  ... on AlreadyExistsError { existingId }
} }`;

interface Created {
  createFragment: { __typename: string; uploadUrl: string | null; fragment: { id: string; text: string | null } };
}

describeOnEachStore('fragments', (open) => {
  let seed: Seed;
  let ask: Ask;
  let job: SeededJob;
  const put = (input: object) => ask<Created>(create, { input: { jobId: job.job.id, type: 'DATA', ...input } });

  beforeEach(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    job = await seed.createJob(2);
  });

  test('that are created with a text are stored at once', async () => {
    const { createFragment } = await put({ filename: 'Notes.txt', text: 'größer' });
    expect(createFragment).toMatchObject({
      __typename: 'CreateFragmentPayload',
      uploadUrl: null,
      uploadExpiresAt: null,
      fragment: {
        filename: 'Notes.txt',
        name: 'Notes.txt',
        status: 'READY',
        contentType: expect.stringMatching(/^text\/plain/),
        sizeBytes: 8,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        downloadUrl: expect.stringMatching(/^\/fragments\/frag_/),
        text: 'größer',
        project: { id: seed.project.id },
        job: { id: job.job.id },
        step: null,
        attempt: null,
        device: null,
        readyAt: seed.clock.now().toISOString(),
      },
    });
  });

  test.each(['constructor', '__proto__', 'a.toString', 'a.'])('treat the name %s as one without a known extension', async (filename) => {
    const { createFragment } = await put({ filename, text: '1' });
    expect(createFragment).toMatchObject({ fragment: { filename, contentType: 'application/octet-stream' } });
  });

  test('that are created without a text wait for their bytes, and show where to upload them', async () => {
    const { createFragment } = await put({ filename: 'm.safetensors', type: 'MODEL', stepNumber: 1 });
    expect(createFragment).toMatchObject({
      uploadUrl: expect.stringMatching(/^\/fragments\/frag_/),
      fragment: { status: 'PENDING', downloadUrl: null, text: null, sha256: null, step: { number: 1 }, readyAt: null },
    });
  });

  test('have unique filenames, regardless of case', async () => {
    const first = await put({ filename: 'a.txt', text: '1' });
    const { createFragment } = await put({ filename: 'A.TXT', text: '2' });
    expect(createFragment).toMatchObject({ code: 'ALREADY_EXISTS', existingId: first.createFragment.fragment.id });
  });

  test('are listed by job and by step, newest first, and filtered', async () => {
    await put({ filename: 'zero.csv', text: '0', stepNumber: 0, type: 'METRICS' });
    await put({ filename: 'one.csv', text: '1', stepNumber: 1 });
    await put({ filename: 'two.csv', stepNumber: 1 });
    const names = async (filter: object) => {
      const { job: read } = await ask<{ job: { fragments: { nodes: { filename: string }[]; totalCount: number } } }>(
        'query ($id: ID!, $filter: FragmentFilter) { job(id: $id) { fragments(filter: $filter) { nodes { filename } totalCount } } }',
        { id: job.job.id, filter },
      );
      expect(read.fragments.totalCount).toBe(read.fragments.nodes.length);
      return read.fragments.nodes.map(({ filename }) => filename);
    };
    expect(await names({})).toEqual(['two.csv', 'one.csv', 'zero.csv']);
    expect(await names({ types: ['METRICS', 'MODEL'] })).toEqual(['zero.csv']);
    expect(await names({ types: [] })).toEqual([]);
    expect(await names({ statuses: ['READY'], stepNumber: 1 })).toEqual(['one.csv']);
    expect(await names({ filename: 'ONE.csv' })).toEqual(['one.csv']);
    expect(await names({ filename: '\0' })).toEqual([]);

    const { step } = await ask<{ step: object }>(
      `query ($id: ID!) { step(id: $id) { own: fragments { nodes { filename } } others: fragments(filter: { stepNumber: 0 }) { nodes { filename } } } }`,
      { id: job.steps[1]?.id },
    );
    expect(step).toEqual({ own: { nodes: [{ filename: 'two.csv' }, { filename: 'one.csv' }] }, others: { nodes: [] } });
  });

  test('of a project are searched in its succeeded jobs', async () => {
    const latest = async () => {
      const { project } = await ask<{ project: { latestFragment: { text: string } | null } }>(
        'query ($id: ID!) { project(id: $id) { latestFragment(filename: "Model.TXT") { text } none: latestFragment(filename: "\\u0000") { id } } }',
        { id: seed.project.id },
      );
      return project.latestFragment?.text ?? null;
    };
    await put({ filename: 'model.txt', text: 'old' });
    expect(await latest()).toBeNull();
    for (const stepNumber of [0, 1]) {
      const { lease } = await seed.claim(job, stepNumber);
      await ask('mutation ($token: String!) { completeStep(input: { leaseToken: $token }) { __typename } }', { token: lease.token });
    }
    expect(await latest()).toBe('old');
  });

  test('that exceed the requested size show no text', async () => {
    const { createFragment } = await put({ filename: 'a.txt', text: '12345' });
    const { fragment } = await ask<{ fragment: object }>(
      'query ($id: ID!) { fragment(id: $id) { four: text(maxBytes: 4) five: text(maxBytes: 5) } }',
      {
        id: createFragment.fragment.id,
      },
    );
    expect(fragment).toEqual({ four: null, five: '12345' });
    await expect(
      ask('query ($id: ID!) { fragment(id: $id) { text(maxBytes: 2000000) } }', { id: createFragment.fragment.id }),
    ).rejects.toThrow('BAD_REQUEST: maxBytes must be from 0 to 1048576');
  });

  test('that are safetensors show their tensors, and others show none', async () => {
    const header = JSON.stringify({ w: { dtype: 'U8', shape: [3], data_offsets: [0, 3] } });
    const bytes = `${String.fromCharCode(header.length)}${'\0'.repeat(7)}${header}abc`;
    const query =
      'query ($id: ID!) { fragment(id: $id) { stateDict { metadata tensors { name dtype shape values } } few: stateDict(maxElements: 2) { tensors { values } } } }';
    const { createFragment: model } = await put({ filename: 'm.safetensors', type: 'MODEL', text: bytes });
    expect((await ask<{ fragment: object }>(query, { id: model.fragment.id })).fragment).toEqual({
      stateDict: { metadata: {}, tensors: [{ name: 'w', dtype: 'U8', shape: [3], values: [97, 98, 99] }] },
      few: { tensors: [{ values: null }] },
    });
    const { createFragment: text } = await put({ filename: 'n.txt', text: 'not a model' });
    expect((await ask<{ fragment: object }>(query, { id: text.fragment.id })).fragment).toEqual({ stateDict: null, few: null });
  });

  test('that are safetensors show a quarter of a million values in one answer, and no more', async () => {
    const size = 65_536;
    const laid = (i: number) => ({ dtype: 'U8', shape: [size], data_offsets: [i * size, (i + 1) * size] });
    const header = JSON.stringify({ x: laid(0), y: laid(1), z: laid(2) }).padEnd(256);
    const bytes = `\0\u0001${'\0'.repeat(6)}${header}${'a'.repeat(3 * size)}`;
    const { createFragment: model } = await put({ filename: 'large.safetensors', type: 'MODEL', text: bytes });
    const tensors = `stateDict(maxElements: ${size}) { tensors { values } }`;
    const query = `query ($id: ID!) { fragment(id: $id) { a: ${tensors} b: ${tensors} c: ${tensors} } }`;
    type Shown = Record<string, { tensors: { values: number[] | null }[] }>;
    const { fragment } = await ask<{ fragment: Shown }>(query, { id: model.fragment.id });
    const shown = Object.values(fragment).flatMap(({ tensors }) => tensors.filter(({ values }) => values !== null));
    expect(shown.map(({ values }) => values?.length)).toEqual([size, size, size, size]);
  });

  test('are gone when they are deleted', async () => {
    const { createFragment } = await put({ filename: 'a.txt', text: '1' });
    const { id } = createFragment.fragment;
    const { deleteFragment, after } = await ask<{ deleteFragment: object; after: object }>(
      `mutation ($id: ID!) {
        deleteFragment(input: { fragmentId: $id }) { ... on DeleteFragmentPayload { deletedFragmentId } }
        after: deleteFragment(input: { fragmentId: $id }) { ... on NotFoundError { code id } }
      }`,
      { id },
    );
    expect(deleteFragment).toEqual({ deletedFragmentId: id });
    expect(after).toEqual({ code: 'NOT_FOUND', id });
    expect(await ask('query ($id: ID!) { fragment(id: $id) { id } }', { id })).toEqual({ fragment: null });
  });
});
