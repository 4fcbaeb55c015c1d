import { expect, test } from 'vitest';
import { stepsOfJobs } from '../../../src/store/queries/steps.ts';
import { chooseColumns } from '../../../src/store/statements/choice.ts';
import { WeighedReads } from '../../../src/store/statements/weighed.ts';
import { describeOnEachStore } from '../../support/databases.ts';

describeOnEachStore('A list of many parents', (open) => {
  test('is refused as too large also when another field took more than the whole room before it (P14)', async () => {
    const room = {
      bytes: -1_000_000,
      take: () => {
        throw new Error('too large');
      },
    };
    const reads = new WeighedReads((await open()).read, { room, areTexts: false });
    await expect(stepsOfJobs(chooseColumns(['id', 'number']))(reads, ['job_1', 'job_2'])).rejects.toThrow(/^too large$/);
  });
});
