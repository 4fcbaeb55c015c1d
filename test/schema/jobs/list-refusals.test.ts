import { beforeAll, expect, test } from 'vitest';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { askAs } from '../ask.ts';

const query = 'query ($filter: JobFilter, $orderBy: JobOrder) { jobs(filter: $filter, orderBy: $orderBy) { totalCount } }';

describeOnEachStore('a list of jobs', (open) => {
  let seed: Seed;
  beforeAll(async () => {
    seed = await plantSeed(await open());
  });
  const list = (variables: Record<string, unknown>) => askAs(seed.domain, admin)(query, variables);

  test.each([
    [{ filter: { search: ' ' } }, 'filter.search must not be empty.'],
    [{ filter: { search: 'a b c d e f g h i j k' } }, 'filter.search: at most 10 words.'],
    [{ filter: { hasMetric: '' } }, 'filter.hasMetric must not be empty.'],
    [
      { filter: { labelFilters: [{ key: 'a' }, { key: 'a', value: 'b', isAbsent: true }] } },
      'filter.labelFilters[1]: give value or isAbsent, not both.',
    ],
    [{ filter: { labelFilters: Array(21).fill({ key: 'a' }) } }, 'filter.labelFilters: at most 20 entries.'],
    [{ filter: { search: '\n\t' } }, 'filter.search must not be empty.'],
    [{ orderBy: { field: 'METRIC', direction: 'ASC' } }, 'orderBy.metric is needed with METRIC.'],
    [{ orderBy: { field: 'METRIC', direction: 'ASC', metric: '' } }, 'orderBy.metric must not be empty.'],
    [{ orderBy: { field: 'NAME', direction: 'ASC', metric: 'loss' } }, 'orderBy.metric is for METRIC alone.'],
  ])('refuses %j and names the field', async (variables, message) => {
    await expect(list(variables)).rejects.toThrow(`BAD_REQUEST: ${message}`);
  });

  test('by device is refused to a key that may not see devices', async () => {
    const { token } = await seed.createJob();
    const ofJob = askAs(seed.domain, await seed.principalOf(token));
    await expect(ofJob('{ jobs(filter: { deviceId: "dev_x" }) { totalCount } }')).rejects.toThrow('FORBIDDEN');
  });
});
