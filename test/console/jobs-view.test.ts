/** The list of jobs in the console's address. */
import { describe, expect, test } from 'vitest';
import {
  chipsOf,
  filterOf,
  leftOut,
  namesIn,
  readView,
  takeTokens,
  toggleStatus,
  withoutFilter,
  withSingle,
  writeView,
} from '../../src/console/pages/jobs/view.ts';

const viewOf = (query: string) => readView(new URLSearchParams(query));
const everything =
  '/jobs?status=FAILED&status=RUNNING&label=team%3Dvision&label=a+b%3D&owner=user%3Aann&device=dev_1&experiment=exp_1&application=app_1' +
  '&after=2026-01-02T00%3A00%3A00.000Z&before=2026-01-03T00%3A00%3A00.000Z&search=res+net&order=metric%3Atrain%2Floss&direction=asc&metrics=loss%2Cacc';

describe("The address of the console's list of jobs", () => {
  test('holds its filter, order and columns, and nothing that is as usual', () => {
    expect(writeView(viewOf(everything.slice('/jobs?'.length)))).toBe(everything);
    expect(writeView(viewOf(''))).toBe('/jobs');
    expect(viewOf('metrics=').metrics).toEqual([]);
    expect(viewOf('').metrics).toBeNull();
  });

  test('becomes the filter and the order that the gateway is asked for', () => {
    const view = viewOf(everything.slice('/jobs?'.length));
    expect(filterOf(view)).toEqual({
      statuses: ['FAILED', 'RUNNING'],
      search: 'res net',
      labelFilters: [
        { key: 'team', value: 'vision' },
        { key: 'a b', value: '' },
      ],
      ...{ owner: 'user:ann', deviceId: 'dev_1', experimentId: 'exp_1', applicationId: 'app_1' },
      ...{ createdAfter: '2026-01-02T00:00:00.000Z', createdBefore: '2026-01-03T00:00:00.000Z' },
    });
    expect(view.order).toEqual({ field: 'METRIC', direction: 'ASC', metric: 'train/loss' });
    expect(filterOf(viewOf('label=team'))).toEqual({ labelFilters: [{ key: 'team' }] });
    expect(filterOf(withoutFilter(view))).toEqual({});
    expect(withoutFilter(view).order).toEqual(view.order);
  });

  test('is read without what makes no sense', () => {
    const view = viewOf('status=running,FAILED&status=GONE&after=soon&order=size&direction=up&label=a&label=a');
    expect([view.statuses, view.createdAfter, view.labels]).toEqual([['RUNNING', 'FAILED'], null, ['a']]);
    expect(view.order).toEqual({ field: 'CREATED_AT', direction: 'DESC' });
  });

  test('tells what means nothing in it', () => {
    expect(leftOut(new URLSearchParams(everything.slice('/jobs?'.length)))).toEqual([]);
    expect(leftOut(new URLSearchParams('status=running,GONE&after=soon&order=size&direction=up&colour=red&search=x'))).toEqual([
      ...['status=running,GONE', 'after=soon', 'order=size', 'direction=up', 'colour=red'],
    ]);
  });

  test('may name what it is filtered by, until the ids are known', () => {
    const id = `dev_${'0'.repeat(26)}`;
    expect(namesIn(viewOf(`device=${id}&owner=ann`))).toEqual([]);
    const view = viewOf('device=gpu-1&application=Digits');
    expect(namesIn(view)).toEqual([
      { token: 'device', name: 'gpu-1' },
      { token: 'application', name: 'Digits' },
    ]);
    expect(withSingle(view, 'device', id).deviceId).toBe(id);
  });

  test('loses one condition by each of its chips', () => {
    const view = viewOf(everything.slice('/jobs?'.length));
    const chips = chipsOf(view);
    expect(chips.map(({ token, value }) => `${token}:${value}`)).toEqual([
      ...['status:FAILED', 'status:RUNNING', 'label:team=vision', 'label:a b='],
      ...['owner:user:ann', 'device:dev_1', 'experiment:exp_1', 'application:app_1'],
      ...['after:2026-01-02T00:00:00.000Z', 'before:2026-01-03T00:00:00.000Z'],
    ]);
    for (const { without } of chips) expect(chipsOf(without)).toHaveLength(chips.length - 1);
    expect(toggleStatus(toggleStatus(view, 'QUEUED'), 'QUEUED')).toEqual(view);
  });
});

describe('The text of the search field', () => {
  test('gives up its tokens, and keeps words and tokens that make no sense', () => {
    const { view, rest } = takeTokens(
      viewOf(''),
      '  resnet status:failed label:team=vision label:"two words=x y" owner:user:ann  50 status:lost size:3 before:2026-01-03 ',
    );
    expect(rest).toBe('resnet 50 status:lost size:3');
    expect(view).toMatchObject({ statuses: ['FAILED'], labels: ['team=vision', 'two words=x y'], owner: 'user:ann', search: '' });
    expect(view.createdBefore).toBe('2026-01-03T00:00:00.000Z');
  });

  test('adds what is there already only once', () => {
    const view = viewOf('status=FAILED&label=a%3Db');
    expect(takeTokens(view, 'status:failed label:a=b')).toEqual({ view, rest: '' });
  });
});
