/** The console in a real Chromium, at a real gateway. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

const lines = (page: Page) => page.locator('.ln pre').allTextContents();

describe('Signing in', () => {
  test('takes the key out of the address, and lasts over a reload', async () => {
    const { page, faults } = await station.open('/');
    expect(page.url()).toBe(`${station.gateway.url}/`);
    await page.reload();
    await page.locator('header.bar').waitFor();
    expect(await page.evaluate(() => [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join())).not.toContain(
      'tyk_',
    );
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('without a key asks for one, and says when one is wrong', async () => {
    const { page } = await station.open('/', { key: null });
    await page.getByLabel('Key').fill('tyk_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'not valid' }).waitFor();
    await page.getByLabel('Key').fill(station.gateway.adminKey);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('header.bar').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Key').waitFor();
    expect(await page.context().cookies()).toEqual([]);
    await page.context().close();
  });

  test('follows a link that is opened in a tab of the console, and ends in every tab', async () => {
    const { gateway } = station;
    const { page } = await station.open('/', { key: null });
    await page.getByLabel('Key').waitFor();
    await page.goto(`${gateway.url}/#key=${gateway.adminKey}`);
    await page.locator('header.bar').waitFor();
    expect(page.url()).not.toContain('tyk_');
    const other = await page.context().newPage();
    await other.goto(`${gateway.url}/jobs`);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Key').waitFor();
    await page.context().close();
  });

  test('by a watch link shows that job and no other, and does not sign an operator out', async () => {
    const { worker, gateway } = station;
    const [shared, other] = [await worker.createJob('shared'), await worker.createJob('other')];
    const made = await worker.ask<{ createApiKey: { secret: string } }>(
      'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { ... on CreateApiKeyPayload { secret } } }',
      { input: { name: 'link', kind: 'WATCH', jobId: shared } },
    );
    const key = made.createApiKey.secret;
    const { page } = await station.open(`/jobs/${shared}`, { key });
    await page.getByRole('heading', { name: 'shared' }).waitFor();
    expect(await page.locator('.nav a').count()).toBe(0);
    expect(await page.getByRole('button', { name: /Cancel|Share/ }).count()).toBe(0);
    await page.goto(`${gateway.url}/jobs/${other}`);
    await page.getByLabel('Key').waitFor();

    const operator = await station.open('/');
    await operator.page.goto(`${gateway.url}/jobs/${shared}#key=${key}`);
    await operator.page.getByRole('heading', { name: 'shared' }).waitFor();
    await operator.page.goto(`${gateway.url}/jobs/${other}`);
    await operator.page.getByRole('heading', { name: 'other' }).waitFor();
    await Promise.all([page.context().close(), operator.page.context().close()]);
  });

  test('ends with the key: what was shown is gone within 5 s, and the page says so', async () => {
    const { worker } = station;
    const jobId = await worker.createJob('secret plans');
    const made = await worker.ask<{ createApiKey: { secret: string; apiKey: { id: string } } }>(
      'mutation { createApiKey(input: { name: "leaver", role: EDITOR }) { ... on CreateApiKeyPayload { secret apiKey { id } } } }',
    );
    const { secret, apiKey } = made.createApiKey;
    const { page } = await station.open(`/jobs/${jobId}`, { key: secret });
    await page.getByRole('heading', { name: 'secret plans' }).waitFor();
    await worker.ask('mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { __typename } }', { id: apiKey.id });
    await page.getByRole('alert').filter({ hasText: 'revoked' }).waitFor({ timeout: 5_000 });
    expect(await page.content()).not.toContain('secret plans');
    await page.context().close();
  });
});

describe('The log of a job', () => {
  test('shows what is written, as it is written, and follows it to the end', async () => {
    const job = await station.worker.runJob('counter');
    const { page, faults } = await station.open(`/jobs/${job.jobId}`);
    for (let part = 0; part < 5; part += 1) {
      await job.write(Array.from({ length: 40 }, (_, line) => `line ${part * 40 + line + 1}\n`).join(''));
      await page.locator('.ln pre', { hasText: new RegExp(`^line ${part * 40 + 40}$`) }).waitFor();
    }
    await job.complete();
    await page.locator('.facts').getByText('Succeeded').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('is inert: markup, escape sequences, direction marks and NUL do nothing', async () => {
    const job = await station.worker.runJob('<img src=x onerror=alert(1)>');
    await job.write(
      [
        '<script>document.title = "owned"</script><b>bold</b>',
        '\u001b]0;owned\u0007title',
        '\u001b[2J\u001b[Hcleared',
        '\u202eevil\u202c',
        'javascript:alert(1)',
        '\u001b[31mred\u001b[0m plain',
        'first\rsecond\rthird',
        `${'x'.repeat(300_000)}`,
        'a\u0000b',
        '',
      ].join('\n'),
    );
    await job.fail('<b>failed</b>');
    const { page, faults } = await station.open(`/jobs/${job.jobId}`);
    await page.locator('.ln pre', { hasText: 'third' }).waitFor();
    const shown = await lines(page);
    expect(shown[0]).toBe('<script>document.title = "owned"</script><b>bold</b>');
    expect(shown.slice(1, 7)).toEqual(['title', 'cleared', '\ufffdevil\ufffd', 'javascript:alert(1)', 'red plain', 'third']);
    expect(shown[7]).toMatch(/^x{10000} … 290,000 more characters$/);
    expect(await page.locator('.ln pre b, .ln pre script, .ln pre img, .head b, h1 img').count()).toBe(0);
    expect(await page.locator('.ln .ansi-red').allTextContents()).toEqual(['red']);
    expect(await page.title()).not.toContain('owned');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('opens at the line of a link, and marks it', async () => {
    const job = await station.worker.runJob('linked');
    await job.write(Array.from({ length: 5_000 }, (_, line) => `row ${line + 1}\n`).join(''));
    await job.complete();
    const { page } = await station.open(`/jobs/${job.jobId}`);
    await page.goto(`${station.gateway.url}/jobs/${job.jobId}#s0a1L2500-L2502`);
    await page.reload();
    await page.locator('.ln.chosen').first().waitFor();
    await page.locator('.ln.chosen pre', { hasText: 'row 2502' }).waitFor();
    expect(await page.locator('.ln.chosen pre').allTextContents()).toEqual(['row 2500', 'row 2501', 'row 2502']);
    await page.locator('.ln .no', { hasText: '2,505' }).click();
    expect(page.url()).toMatch(/#s0a1L2505$/);
    await page.context().close();
  });

  test('is gone through by the keyboard, and the key for cancel asks first', async () => {
    const job = await station.worker.runJob('keys', ['first', 'second']);
    await job.write('of the first\n');
    await job.complete();
    const second = await station.worker.claimStep(job.jobId, 1);
    await second.write('of the second\n');
    const { page } = await station.open(`/jobs/${job.jobId}`);
    await page.locator('.ln pre', { hasText: 'of the second' }).waitFor();
    await page.keyboard.press('[');
    await page.locator('.ln pre', { hasText: 'of the first' }).waitFor();
    await page.keyboard.press(']');
    await page.locator('.ln pre', { hasText: 'of the second' }).waitFor();
    await page.keyboard.press('.');
    await page.getByText('Cancel keys?').waitFor();
    await page.getByRole('button', { name: 'No' }).click();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.waitForURL('**/jobs');
    await page.keyboard.press('/');
    await page.getByRole('dialog', { name: 'Search' }).getByRole('combobox').fill('keys');
    await page.getByRole('option').filter({ hasText: 'keys' }).filter({ hasText: 'job' }).first().waitFor();
    await second.complete();
    await page.context().close();
  });

  test('finds a text anywhere in it, also where nothing was shown yet', async () => {
    const job = await station.worker.runJob('searched');
    await job.write(
      Array.from({ length: 5_000 }, (_, line) => (line === 1_233 || line === 4_321 ? `NEEDLE ${line + 1}\n` : `hay ${line + 1}\n`)).join(
        '',
      ),
    );
    await job.complete();
    const { page } = await station.open(`/jobs/${job.jobId}`);
    await page.getByLabel('Find in the whole log').fill('needle');
    await page.getByText('1 of 2', { exact: true }).waitFor();
    await page.locator('.ln.at pre', { hasText: 'NEEDLE 1234' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.ln.at pre', { hasText: 'NEEDLE 4322' }).waitFor();
    await page.context().close();
  });
});

test('An address that means nothing is answered by a page that says so', async () => {
  const { page, faults } = await station.open('/jobs?status=GONE&device=nowhere');
  await page.getByText('Left out of the filter, because it means nothing here: status=GONE').waitFor();
  await page.getByText('(there is no such device)').waitFor();
  await page.goto(`${station.gateway.url}/jobs?device=box`);
  await page.waitForURL(/device=dev_/);
  await page.goto(`${station.gateway.url}/nowhere/%E0%A4%A`);
  await page.getByRole('heading', { name: 'There is no page at this address' }).waitFor();
  expect(faults).toEqual([]);
  await page.context().close();
});
