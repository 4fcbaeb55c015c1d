/** The console's home, from a gateway where nothing has run to one that works. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

describe("The console's home", () => {
  test('runs a first job by a click, and leads to it', async () => {
    const { page, faults } = await station.open('/');
    await page.getByRole('heading', { name: 'Nothing has run yet.' }).waitFor();
    expect(await page.locator('.cmd code').textContent()).toContain('npx trainyard submit --name hello');
    await page.getByRole('button', { name: 'Run it now' }).click();
    await page.getByRole('heading', { name: 'hello' }).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/jobs\/job_\w+$/);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows what runs, waits and failed, and follows it without being loaded again', async () => {
    const { page, faults } = await station.open('/');
    const panel = (title: string) => page.locator('.panel', { has: page.getByRole('heading', { name: title }) });
    await panel('Waiting').getByText('hello').waitFor();
    const job = await station.worker.runJob('resnet', ['train', 'evaluate']);
    const row = panel('Running').locator('tr', { hasText: 'resnet' });
    await row.filter({ hasText: 'step 1 of 2' }).waitFor();
    await panel('Devices').locator('tr', { hasText: 'box' }).filter({ hasText: '1 of 1,000 slots' }).waitFor();
    await job.write('first line\nRuntimeError: CUDA out of memory\n');
    await job.fail('It failed.');
    await panel('Last failures').locator('tr', { hasText: 'resnet' }).filter({ hasText: 'RuntimeError: CUDA out of memory' }).waitFor();
    await panel('Running').getByText('Nothing runs.').waitFor();
    await panel('Now').getByRole('link', { name: 'Failed' }).click();
    await page.locator('.jobs-table tbody th', { hasText: 'resnet' }).waitFor();
    expect(new URL(page.url()).search).toBe('?status=FAILED');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows the newest metrics of what runs, as they are reported', async () => {
    const job = await station.worker.runJob('vit');
    await job.report([{ name: 'loss', value: 0.5, iteration: 1 }]);
    const { page } = await station.open('/');
    const row = page.locator('.home-table tr', { hasText: 'vit' });
    await row.filter({ hasText: 'loss 0.5' }).waitFor();
    await job.report([{ name: 'loss', value: 0.25, iteration: 2 }]);
    await row.filter({ hasText: 'loss 0.25' }).waitFor();
    await row.locator('svg.spark').waitFor();
    await page.context().close();
  });
});
