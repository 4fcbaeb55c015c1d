/** Values that are looked up when the metrics are read. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { samplesOf } from '../../src/telemetry/samples.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { plantSeed } from '../support/seed.ts';

describeOnEachStore('The metrics', (open, create) => {
  test('leave out only the free space of a disk that is gone', async () => {
    const [{ domain, createJob }, { folder }] = [await plantSeed(await open()), await create()];
    await createJob();
    const scrape = (dataDir: string) => new Metrics({}, samplesOf(domain, dataDir)).text();
    expect(await scrape(folder)).toMatch(/^trainyard_data_free_bytes \d+$/m);
    const text = await scrape(join(folder, 'gone'));
    expect(text).not.toMatch(/^trainyard_data_free_bytes \d+$/m);
    expect(text).toMatch(/^trainyard_jobs\{status="QUEUED"\} 1$/m);
  });
});
