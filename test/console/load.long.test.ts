/** How much a page of the console loads, how soon it shows something, and how soon a change. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';
import type { RunningJob } from './worker.ts';

let station: Station;
let job: RunningJob;
beforeAll(async () => {
  station = await openStation();
  job = await station.worker.runJob('loaded');
  await job.write('line 1\n');
  await job.report([{ name: 'loss', value: 1, iteration: 1 }]);
});
afterAll(() => station.close());

/** The bytes of scripts that a page loads with nothing kept, as they travel, gzipped. */
async function scriptBytes(path: string): Promise<number> {
  const { page } = await station.open('/', { key: station.gateway.adminKey });
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  // gzip alone: that is what the goal is in. Browsers and the gateway prefer brotli.
  await page.context().setExtraHTTPHeaders({ 'accept-encoding': 'gzip' });
  let bytes = 0;
  const scripts = new Set<string>();
  session.on('Network.responseReceived', ({ requestId, response }) => {
    if (/\/assets\/.+\.js$/.test(response.url)) scripts.add(requestId);
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (scripts.has(requestId)) bytes += encodedDataLength;
  });
  await page.goto(station.gateway.url + path, { waitUntil: 'networkidle' });
  await page.context().close();
  return bytes;
}

describe('A page of the console', () => {
  test('loads at most 110 kB of JavaScript', async () => {
    const paths = [
      '/',
      '/jobs',
      `/jobs/${job.jobId}`,
      `/jobs/${job.jobId}/metrics`,
      `/jobs/${job.jobId}/files`,
      `/compare?jobs=${job.jobId}`,
    ];
    const sizes: Record<string, number> = {};
    for (const path of [...paths, '/devices', '/applications', '/settings/keys']) sizes[path] = await scriptBytes(path);
    console.log(
      Object.entries(sizes)
        .map(([path, bytes]) => `${path} ${(bytes / 1_000).toFixed(0)} kB`)
        .join(', '),
    );
    for (const [path, bytes] of Object.entries(sizes)) {
      expect(bytes, path).toBeLessThanOrEqual(110_000);
      expect(bytes, path).toBeGreaterThan(10_000);
    }
  });

  test('a control: GraphiQL, which it replaced at /, loads far more', async () => {
    const answer = await fetch(`${station.gateway.url}/graphql/graphiql.js`, { headers: { 'accept-encoding': 'gzip' } });
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(110_000);
    await answer.body?.cancel();
  });

  test('paints and shows its first data soon', async () => {
    const { page } = await station.open('/jobs');
    await page.goto(`${station.gateway.url}/jobs/${job.jobId}`);
    await page.locator('.ln').first().waitFor();
    const times = await page.evaluate(() => {
      const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN;
      return { paint, data: performance.now() };
    });
    console.log(`first paint after ${times.paint.toFixed(0)} ms, the job and its log after at most ${times.data.toFixed(0)} ms`);
    expect(times.paint).toBeLessThan(6_000);
    await page.context().close();
  });
});

test('a line that is stored is on the screen soon', async () => {
  const { page } = await station.open(`/jobs/${job.jobId}`);
  await page.locator('.ln').first().waitFor();
  const delays: number[] = [];
  for (let turn = 0; turn < 40; turn += 1) {
    const text = `mark ${turn} end`;
    const shown = page.evaluate(
      (wanted) =>
        new Promise<number>((resolve) => {
          const look = () => document.querySelector('.log-rows')?.textContent?.includes(wanted) === true && resolve(Date.now());
          new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
          look();
        }),
      text,
    );
    await job.write(`${text}\n`);
    // The write is answered once it is stored, so this is the time from there, or less.
    const storedAt = Date.now();
    delays.push((await shown) - storedAt);
  }
  delays.sort((a, b) => a - b);
  console.log(`from the answer of the write to the screen: median ${delays[20]} ms, p99 ${delays[39]} ms (negative: before the answer)`);
  expect(delays[20]).toBeLessThan(1_000);
  await page.context().close();
});
