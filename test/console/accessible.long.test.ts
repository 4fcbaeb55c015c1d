/** Every page of the console by axe: in light and dark, on a wide screen and on a phone. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type Axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let station: Station;
const paths: Record<string, string> = {};
beforeAll(async () => {
  station = await openStation();
  const { worker } = station;
  const running = await worker.runJob('a job with a rather long name that has to be cut somewhere on a narrow screen', [
    'prepare',
    'train',
    'evaluate',
  ]);
  await running.write('\u001b[31mred\u001b[0m \u001b[42mgreen\u001b[0m plain\n');
  await running.report([1, 2, 3].map((iteration) => ({ name: 'train/loss', value: 1 / iteration, iteration })));
  const failed = await worker.runJob('failed');
  await failed.write('Traceback\n', 'STDERR');
  await failed.fail('it broke');
  Object.assign(paths, {
    home: '/',
    jobs: '/jobs',
    log: `/jobs/${running.jobId}`,
    failed: `/jobs/${failed.jobId}`,
    metrics: `/jobs/${running.jobId}/metrics`,
    machine: `/jobs/${running.jobId}/machine`,
    files: `/jobs/${running.jobId}/files`,
    events: `/jobs/${running.jobId}/events`,
    settings: `/jobs/${running.jobId}/settings`,
    compare: `/compare?jobs=${running.jobId},${failed.jobId}`,
    devices: '/devices',
    device: `/devices/${worker.deviceId}`,
    experiments: '/experiments',
    models: '/models',
    applications: '/applications',
    keys: '/settings/keys',
    audit: '/settings/audit',
    limits: '/settings/limits',
    nothing: '/no/such/page',
  });
}, 120_000);
afterAll(() => station.close());

/** What axe finds, a line each. */
async function violations(page: Page): Promise<string[]> {
  // In the page's own world the policy would forbid it.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { run }: typeof Axe = Reflect.get(globalThis, 'axe');
    return (await run()).violations;
  });
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${String(target)}: ${failureSummary?.split('\n')[1]?.trim()}`),
  );
}

/** The page is drawn: no skeleton is left, and nothing changes any more. */
async function settle(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('main')?.textContent !== '' && document.querySelector('.skeleton') === null);
}

const names = [
  'home',
  'jobs',
  'log',
  'failed',
  'metrics',
  'machine',
  'files',
  'events',
  'settings',
  'compare',
  'devices',
  'device',
  'experiments',
  'models',
  'applications',
  'keys',
  'audit',
  'limits',
  'nothing',
];

describe.each([
  ['light', 1_280],
  ['light', 390],
  ['dark', 1_280],
  ['dark', 390],
] as const)('In %s, %d px wide', (colorScheme, width) => {
  test('no page breaks a rule of axe, or scrolls sideways', async () => {
    const { page } = await station.open('/', { colorScheme, width, reducedMotion: 'reduce' });
    const wrong: string[] = [];
    for (const name of names) {
      await page.goto(station.gateway.url + paths[name]);
      await settle(page);
      wrong.push(...(await violations(page)).map((each) => `${name}: ${each}`));
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) wrong.push(`${name}: ${overflow} px too wide`);
    }
    expect(wrong).toEqual([]);
    await page.context().close();
  });
});

test('no page scrolls sideways at 320 px', async () => {
  const { page } = await station.open('/', { width: 320 });
  const wide: string[] = [];
  for (const name of names) {
    await page.goto(station.gateway.url + paths[name]);
    await settle(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (overflow > 0) wide.push(`${name}: ${overflow}`);
  }
  expect(wide).toEqual([]);
  await page.context().close();
});

test('a control: axe finds a button without a name and grey text on grey', async () => {
  const { page } = await station.open('/');
  await settle(page);
  await page.evaluate(() => {
    const button = document.createElement('button');
    const text = document.createElement('p');
    text.textContent = 'Can you read this?';
    text.style.color = '#aaa';
    text.style.background = '#bbb';
    document.querySelector('main')?.append(button, text);
  });
  expect((await violations(page)).map((each) => each.split(':')[0])).toEqual(expect.arrayContaining(['button-name', 'color-contrast']));
  await page.context().close();
});
