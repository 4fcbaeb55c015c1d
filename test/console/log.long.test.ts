/**
 * The goals of the console's log, in a real Chromium. Times are printed; what is asserted of them
 * stands a slow machine. What can be counted is asserted exactly.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';
import type { RunningJob } from './worker.ts';

const LINES = 100_000;
const lineOf = (number: number) =>
  `${String(number).padStart(7, '0')} ${'step loss 0.2131 acc 0.9412 lr 3.00e-04 grad 1.27 tokens/s 18231 eta 00:41:00 of 938 batches'.slice(0, 91)}\n`;

let station: Station;
let job: RunningJob;
beforeAll(async () => {
  station = await openStation();
  job = await station.worker.runJob('long log');
  await job.write(Array.from({ length: LINES }, (_, index) => lineOf(index + 1)).join(''));
  await job.complete();
}, 300_000);
afterAll(() => station.close());

/** Counts the bytes that answers and frames of a page have. */
async function countBytes(page: Page): Promise<() => number> {
  let bytes = 0;
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const asked = new Set<string>();
  session.on('Network.requestWillBeSent', ({ requestId, request }) => {
    if (request.url.endsWith('/graphql')) asked.add(requestId);
  });
  session.on('Network.dataReceived', ({ requestId, dataLength }) => {
    if (asked.has(requestId)) bytes += dataLength;
  });
  session.on('Network.webSocketFrameReceived', ({ response }) => {
    bytes += response.payloadData.length;
  });
  return () => bytes;
}

const lastLine = (page: Page) => page.locator('.ln pre', { hasText: String(LINES).padStart(7, '0') });

describe('A log of 100,000 lines and 10 MB', () => {
  test('opens at its end with at most 200 kB, and at most 300 rows', async () => {
    const { page } = await station.open('/');
    const bytes = await countBytes(page);
    await page.waitForLoadState('networkidle');
    const before = bytes();
    const startedAt = performance.now();
    await page.goto(`${station.gateway.url}/jobs/${job.jobId}`);
    await lastLine(page).waitFor();
    const took = performance.now() - startedAt;
    console.log(`opened at its end, with the page, in ${took.toFixed(0)} ms, ${((bytes() - before) / 1_000).toFixed(0)} kB`);
    expect(bytes() - before).toBeLessThanOrEqual(200_000);
    expect(await page.locator('.ln').count()).toBeLessThanOrEqual(300);
    expect(await page.locator('.ln .no').last().textContent()).toBe('100,000');
    await page.context().close();
  });

  test('scrolls from end to end: every line that rests in view is the right one', async () => {
    const { page } = await station.open(`/jobs/${job.jobId}`);
    await lastLine(page).waitFor();
    const frames = await page.evaluate(async () => {
      const box = document.querySelector('.log-scroll');
      if (!box) throw new Error('no log');
      const times: number[] = [];
      const steps = 300;
      let most = 0;
      for (let step = 0; step <= steps; step += 1) {
        box.scrollTop = box.scrollHeight * (1 - step / steps);
        await new Promise((resolve) => requestAnimationFrame(resolve));
        times.push(performance.now());
        most = Math.max(most, document.querySelectorAll('.ln').length);
      }
      const took = times
        .slice(1)
        .map((time, index) => time - (times[index] ?? 0))
        .sort((a, b) => a - b);
      return { median: took[took.length >> 1] ?? 0, worst: took.at(-1) ?? 0, most };
    });
    console.log(
      `scrolled: median ${(1_000 / frames.median).toFixed(0)} frames a second, worst frame ${frames.worst.toFixed(0)} ms, ${frames.most} rows`,
    );
    expect(frames.most).toBeLessThanOrEqual(300);
    for (const share of [0, 0.25, 0.6, 0.999, 1]) {
      await page.evaluate(async (part) => {
        const box = document.querySelector('.log-scroll');
        if (box) box.scrollTop = (box.scrollHeight - box.clientHeight) * part;
        // The scroll event, and the frame that draws what it changed.
        for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
      }, share);
      await page.waitForFunction(() => {
        const rows = [...document.querySelectorAll('.ln pre')];
        return rows.length > 0 && rows.every((row) => row.textContent !== '…');
      });
      const rows = await page
        .locator('.ln')
        .evaluateAll((elements) =>
          elements.map((row) => [
            row.querySelector('.no')?.textContent?.replaceAll(',', ''),
            row.querySelector('pre')?.textContent?.slice(0, 7),
          ]),
        );
      for (const [number, text] of rows) expect(Number(text)).toBe(Number(number));
      if (share === 0) expect(rows[0]?.[0]).toBe('1');
      if (share === 1) expect(rows.at(-1)?.[0]).toBe('100000');
    }
    await page.context().close();
  });

  test('a control: a page that draws every line has more rows than the bound', async () => {
    const { page } = await station.open(`/jobs/${job.jobId}`);
    await lastLine(page).waitFor();
    const rows = await page.evaluate((count) => {
      const row = document.querySelector('.ln');
      const parent = row?.parentElement;
      for (let index = 0; row && parent && index < count; index += 1) parent.append(row.cloneNode(true));
      return document.querySelectorAll('.ln').length;
    }, 1_000);
    expect(rows).toBeGreaterThan(300);
    await page.context().close();
  });
});

describe('A log that is written at 10,000 lines a second', () => {
  test('leaves the page quick to answer, and its memory flat', async () => {
    const fast = await station.worker.runJob('fast log');
    await fast.write(lineOf(0));
    const { page } = await station.open(`/jobs/${fast.jobId}`);
    await page.locator('.ln').first().waitFor();
    await page.evaluate(() => {
      const delays: number[] = [];
      Object.assign(globalThis, { delays });
      addEventListener('keydown', (event) => delays.push(performance.now() - event.timeStamp));
    });
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    const heap = async () => {
      await session.send('HeapProfiler.collectGarbage');
      const { metrics } = await session.send('Performance.getMetrics');
      return (metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0) / 1e6;
    };
    const heaps: number[] = [];
    const SECONDS = 20;
    for (let second = 0, number = 1; second < SECONDS; second += 1) {
      const until = performance.now() + 1_000;
      await fast.write(Array.from({ length: 10_000 }, () => lineOf(number++)).join(''));
      await page.keyboard.press('Shift');
      if (second % 5 === 4) heaps.push(await heap());
      // The rate is what is tried: the rest of the second is waited for.
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, until - performance.now())));
    }
    await page.locator('.ln .no', { hasText: `${(SECONDS * 10_000 + 1).toLocaleString('en')}` }).waitFor();
    const delays = (await page.evaluate(() => Reflect.get(globalThis, 'delays') as number[])).sort((a, b) => a - b);
    console.log(
      `input delay: median ${delays[delays.length >> 1]?.toFixed(0)} ms, worst ${delays.at(-1)?.toFixed(0)} ms; heap in MB: ${heaps.map((size) => size.toFixed(0)).join(', ')}`,
    );
    expect(await page.locator('.ln').count()).toBeLessThanOrEqual(300);
    // 200,000 lines have 20 MB. What is held is bounded.
    expect(heaps.at(-1)).toBeLessThan((heaps[1] ?? 0) + 30);
    expect(delays[delays.length >> 1]).toBeLessThan(200);
    await fast.complete();
    await page.context().close();
  });
});
