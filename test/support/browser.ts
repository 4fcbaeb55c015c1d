/** The real Chromium of the development packages. */
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';

/**
 * Flags of the package that no user's browser has. The first two would make it end with its first
 * page. With the others, pages could read what is on other sites.
 */
const forFunctions = [
  '--single-process',
  '--no-zygote',
  '--disable-web-security',
  '--disable-site-isolation-trials',
  '--allow-running-insecure-content',
];

export const openBrowser = async (): Promise<Browser> =>
  playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args.filter((flag) => !forFunctions.includes(flag)), '--no-sandbox'],
    headless: true,
  });
