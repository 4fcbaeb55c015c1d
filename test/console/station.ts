/** A gateway, a browser, and a page of the console that is signed in. */
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { createWorker, type Worker } from './worker.ts';

export interface Station {
  readonly gateway: Gateway;
  readonly browser: Browser;
  readonly worker: Worker;
  /**
   * A page of its own, with cookies of its own, signed in with this key, at this path. `faults`
   * gets what the browser complains of: errors of scripts, and what the page's policy forbids.
   */
  open(path: string, options?: OpenOptions): Promise<{ readonly page: Page; readonly faults: string[] }>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Default: the gateway's admin key. Null: nobody signs in. */
  readonly key?: string | null;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
  readonly reducedMotion?: 'reduce' | 'no-preference';
  /** Through a proxy in front of the gateway. */
  readonly url?: string;
}

export async function openStation(flags: readonly string[] = []): Promise<Station> {
  const database: TestDatabase = await createSqliteDatabase();
  const gateway = await startGateway({ database, flags: ['--stranger-rate', 'off', ...flags] });
  const browser = await openBrowser();
  const worker = await createWorker(gateway);
  return {
    gateway,
    browser,
    worker,
    async open(
      path,
      {
        key = gateway.adminKey,
        width = 1_280,
        height = 800,
        colorScheme = 'light',
        reducedMotion = 'no-preference',
        url = gateway.url,
      } = {},
    ) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion });
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => {
        // A refused request is said by the page itself.
        if (message.type() === 'error' && !message.text().includes('Failed to load resource')) faults.push(message.text());
      });
      await page.goto(`${url}${path}${key === null ? '' : `#key=${key}`}`);
      if (key !== null) await page.locator('header.bar').waitFor();
      return { page, faults };
    },
    async close() {
      await browser.close();
      await gateway.stop();
      await database.remove();
    },
  };
}
