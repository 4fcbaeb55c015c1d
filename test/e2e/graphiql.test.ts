/** GraphiQL for a new user: the link printed at the start, in a real Chromium. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

describe('GraphiQL', () => {
  let database: TestDatabase;
  let gateway: Gateway;
  let browser: Browser;
  let page: Page;
  const faults: string[] = [];
  const requested: string[] = [];

  beforeAll(async () => {
    database = await createSqliteDatabase();
    gateway = await startGateway({ database, command: 'up' });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1_400, height: 900 } });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('request', (request) => requested.push(request.url()));
  });
  afterAll(async () => {
    await browser?.close();
    // SIGTERM, so that its agent ends as well.
    await gateway?.kill('SIGTERM');
    await database?.remove();
  });

  /**
   * Opens a tab and waits until GraphiQL has read its operation. Until then it would run the one of
   * the previous tab.
   */
  const open = async (name: string) => {
    await tab(name).click();
    await page.waitForFunction((operation) => {
      const { tabs = [], activeTabIndex = 0 } = JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}');
      return tabs[activeTabIndex]?.operationName === operation;
    }, name);
  };
  const tab = (name: string) => page.locator('.graphiql-tab-button', { hasText: name });
  const run = () => page.locator('.graphiql-execute-button').click();
  /** Resolves when the response pane has shown this. The editor draws only the visible part. */
  const response = (text: string | RegExp) => page.locator('.result-window').filter({ hasText: text }).waitFor();

  test('the link signs in, and the key leaves the address bar', async () => {
    const link = /http:\S+graphql#key=\S+/.exec(gateway.output())?.[0] ?? '';
    await page.goto(link);
    await tab('CreateJob').waitFor();
    expect(page.url()).toBe(`${gateway.url}/graphql`);
    expect(requested.filter((url) => url.includes('key='))).toEqual([]);
  });

  test('loads completely from the gateway, without an error', () => {
    expect(requested.filter((url) => !url.startsWith(gateway.url) && !url.startsWith('data:') && !url.startsWith('blob:'))).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('the first tab creates a job, and the frames of the second show how it runs', async () => {
    await tab('CreateJob').click();
    await run();
    await response(/"status":\s*"QUEUED"/);
    await open('Watch');
    await run();
    // The local agent claims the step and reports. Each change is a frame.
    await response(/"status":\s*"RUNNING"/);
  });

  test('the third tab reads the log that the job writes', async () => {
    await page.reload();
    await open('Log');
    // The tab has two operations: the button asks which to run.
    await run();
    await page.getByRole('menuitem', { name: 'Log', exact: true }).click();
    await response('counting');
  });
});
