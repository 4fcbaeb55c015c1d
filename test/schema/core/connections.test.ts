import { beforeAll, expect, test } from 'vitest';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

interface Page {
  edges: { cursor: string; node: { name: string } }[];
  nodes: { name: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  totalCount: number;
}

const query = `query ($first: Int, $after: String, $last: Int, $before: String) {
  projects(first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { name } }
    nodes { name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  }
}`;

describeOnEachStore('a connection', (open) => {
  let ask: Ask;
  const read = async (page: Record<string, unknown> = {}) => (await ask<{ projects: Page }>(query, page)).projects;
  const names = (page: Page) => page.nodes.map(({ name }) => name);

  beforeAll(async () => {
    const { domain } = await plantSeed(await open());
    for (const name of ['two', 'three', 'four', 'five']) await createProject(domain, admin, { name });
    ask = askAs(domain, admin);
  });

  test('lists the newest first, with one cursor for each edge', async () => {
    const page = await read();
    expect(names(page)).toEqual(['five', 'four', 'three', 'two', 'Digits']);
    expect(page.edges.map(({ node }) => node.name)).toEqual(names(page));
    expect(new Set(page.edges.map(({ cursor }) => cursor)).size).toBe(5);
    expect(page.pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: page.edges[0]?.cursor,
      endCursor: page.edges[4]?.cursor,
    });
    expect(page.totalCount).toBe(5);
  });

  test('is paged forward to its end without a gap', async () => {
    const one = await read({ first: 2 });
    const two = await read({ first: 2, after: one.pageInfo.endCursor });
    const three = await read({ first: 2, after: two.pageInfo.endCursor });
    expect([one, two, three].map(names)).toEqual([['five', 'four'], ['three', 'two'], ['Digits']]);
    expect([one, two, three].map(({ pageInfo }) => pageInfo.hasNextPage)).toEqual([true, true, false]);
    expect([one, two, three].map(({ pageInfo }) => pageInfo.hasPreviousPage)).toEqual([false, true, true]);
  });

  test('is paged backward to its beginning, each page in the order of the list', async () => {
    const one = await read({ last: 2 });
    const two = await read({ last: 2, before: one.pageInfo.startCursor });
    const three = await read({ last: 2, before: two.pageInfo.startCursor });
    expect([one, two, three].map(names)).toEqual([['two', 'Digits'], ['four', 'three'], ['five']]);
    expect([one, two, three].map(({ pageInfo }) => pageInfo.hasPreviousPage)).toEqual([true, true, false]);
  });

  test('returns the entries between two cursors', async () => {
    const { edges } = await read();
    expect(names(await read({ after: edges[0]?.cursor, before: edges[4]?.cursor }))).toEqual(['four', 'three', 'two']);
  });

  test('after its last entry is empty, and has no cursors', async () => {
    const { edges } = await read();
    const page = await read({ after: edges[4]?.cursor });
    expect(page).toMatchObject({ edges: [], pageInfo: { hasNextPage: false, startCursor: null, endCursor: null }, totalCount: 5 });
  });

  test.each([
    [{ first: 0 }, 'BAD_REQUEST: first must be at least 1; got 0.'],
    [{ last: -1 }, 'BAD_REQUEST: last must be at least 1; got -1.'],
    [{ first: 1, last: 1 }, 'BAD_REQUEST: Give first or last, not both.'],
    [
      { after: 'nonsense' },
      'BAD_REQUEST: after and before: this cursor was not returned by this list. Use a cursor from its edges or pageInfo.',
    ],
    [
      { before: Buffer.from('[1]').toString('base64url') },
      'BAD_REQUEST: after and before: this cursor was not returned by this list. Use a cursor from its edges or pageInfo.',
    ],
    [
      { after: Buffer.from('["a","b"]').toString('base64url') },
      'BAD_REQUEST: after and before: this cursor was not returned by this list. Use a cursor from its edges or pageInfo.',
    ],
    [
      { after: Buffer.from('["\\u0000"]').toString('base64url') },
      'BAD_REQUEST: after and before: this cursor was not returned by this list. Use a cursor from its edges or pageInfo.',
    ],
  ])('refuses %j', async (page, message) => {
    await expect(read(page)).rejects.toThrow(message);
  });
});
