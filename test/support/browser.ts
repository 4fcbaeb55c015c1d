/** The real Chromium of the development packages. */
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';

/** It would make the browser end with its first page. */
const forFunctions = ['--single-process', '--no-zygote'];

export const openBrowser = async (): Promise<Browser> =>
  playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args.filter((flag) => !forFunctions.includes(flag)), '--no-sandbox'],
    headless: true,
  });
