/** The rows of the console's list of jobs: pages and a stream become one list, without a seam. */
import { effect } from '@preact/signals';
import { describe, expect, test } from 'vitest';
import { type JobRow, JobRows } from '../../src/console/pages/jobs/job-rows.ts';

const rowOf = (id: string, status: JobRow['status'] = 'QUEUED'): JobRow => ({
  ...{ id, status, name: id, owner: 'user:ann', labels: [], device: null },
  ...{ createdAt: '2026-01-01T00:00:00.000Z', startedAt: null, finishedAt: null },
});
const pageOf = (ids: readonly string[], hasNextPage = false) => ({
  nodes: ids.map((id) => rowOf(id)),
  pageInfo: { hasNextPage, endCursor: ids.at(-1) ?? null },
});
const newest = { field: 'CREATED_AT', direction: 'DESC' } as const;

/** A list that has read these pages; the last of them may be followed by others. */
function listOf(pages: readonly (readonly string[])[], hasMore = false, order: ConstructorParameters<typeof JobRows>[0] = newest) {
  const rows = new JobRows(order);
  for (const [index, page] of pages.entries()) {
    rows.beginPage();
    rows.takePage(pageOf(page, hasMore || index < pages.length - 1));
  }
  return rows;
}
const shown = (rows: JobRows) => rows.ids.value.map((id) => `${id} ${rows.peek(id)?.status}`);

describe('A list of jobs in the console', () => {
  test('shows what the stream said while a page was on its way, not what the page has', () => {
    const rows = new JobRows(newest);
    rows.beginPage();
    rows.takeFrame({ jobs: [rowOf('c', 'RUNNING')], removedIds: ['b'] });
    rows.takePage(pageOf(['d', 'c', 'b', 'a']));
    expect(shown(rows)).toEqual(['d QUEUED', 'c RUNNING', 'a QUEUED']);
  });

  test('keeps a job that came into it while the page of its place was on its way', () => {
    const rows = listOf([['f', 'e']], true);
    rows.beginPage();
    // The page was read before c matched the filter, and its place is not yet read.
    rows.takeFrame({ jobs: [rowOf('c')], removedIds: [] });
    expect(rows.waiting.value).toBe(0);
    rows.takePage(pageOf(['d', 'b'], true));
    expect(rows.waiting.value).toBe(1);
    rows.showWaiting();
    expect(rows.ids.value).toEqual(['f', 'e', 'd', 'c', 'b']);
  });

  test('leaves a job at a place that is not read yet to the page of that place', () => {
    const rows = listOf([['f', 'e']], true);
    rows.takeFrame({ jobs: [rowOf('c')], removedIds: [] });
    expect(rows.beginPage()).toBe('e');
    rows.takePage(pageOf(['d', 'c']));
    expect([rows.ids.value, rows.waiting.value]).toEqual([['f', 'e', 'd', 'c'], 0]);
  });

  test('lets new jobs wait, forgets those that left meanwhile, and shows each once', () => {
    const rows = listOf([['b', 'a']]);
    rows.takeFrame({ jobs: [rowOf('c'), rowOf('d'), rowOf('d', 'RUNNING')], removedIds: [] });
    rows.takeFrame({ jobs: [], removedIds: ['c'] });
    expect([rows.ids.value, rows.waiting.value]).toEqual([['b', 'a'], 1]);
    rows.showWaiting();
    rows.takeFrame({ jobs: [rowOf('d', 'FAILED')], removedIds: [] });
    expect(shown(rows)).toEqual(['d FAILED', 'b QUEUED', 'a QUEUED']);
    expect(rows.waiting.value).toBe(0);
  });

  test('draws only the row that changed, and the list only when a job leaves it', () => {
    const rows = listOf([['c', 'b', 'a']]);
    const drawn: string[] = [];
    effect(() => {
      drawn.push(`b ${rows.get('b')?.status}`);
    });
    effect(() => {
      drawn.push(rows.ids.value.join(''));
    });
    rows.takeFrame({ jobs: [rowOf('a', 'RUNNING')], removedIds: [] });
    rows.takeFrame({ jobs: [rowOf('b', 'RUNNING')], removedIds: [] });
    rows.takeFrame({ jobs: [], removedIds: ['a', 'unknown'] });
    expect(drawn).toEqual(['b QUEUED', 'cba', 'b RUNNING', 'cb']);
  });

  test('ordered by anything but creation, redraws in place and counts what may stand elsewhere', () => {
    const rows = listOf([['b', 'c', 'a']], true, { field: 'NAME', direction: 'ASC' });
    rows.takeFrame({ jobs: [rowOf('c', 'RUNNING'), rowOf('c', 'FAILED'), rowOf('z')], removedIds: [] });
    expect(shown(rows)).toEqual(['b QUEUED', 'c FAILED', 'a QUEUED']);
    expect([rows.changed.value, rows.waiting.value]).toEqual([1, 1]);
    rows.beginPage();
    rows.takePage(pageOf(['z', 'b']));
    expect([rows.ids.value, rows.waiting.value]).toEqual([['b', 'c', 'a', 'z'], 0]);
    rows.takeFrame({ jobs: [], removedIds: ['c'] });
    expect(rows.changed.value).toBe(0);
  });
});
