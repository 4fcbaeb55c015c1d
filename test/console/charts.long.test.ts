/**
 * The goals of the console's curves, in a real Chromium. Times are printed; what is asserted of
 * them stands a slow machine. What can be counted is asserted exactly.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatCount, formatValue } from '../../src/console/format/numbers.ts';
import { openStation, type Station } from './station.ts';
import type { RunningJob } from './worker.ts';

const POINTS = 1_000_000;
/** The most values of one report. */
const BATCH = 1_000;
/** Each part of the curve has a peak and a trough that no other point comes near. */
const PARTS = 100;
const PART = POINTS / PARTS;
const whole = `900 of ${formatCount(POINTS)} points`;
/** Longer than any answer takes here: a goal that is missed by this much is a fault. */
const SLOW_MS = 20_000;

const noise = (seed: number) => {
  const value = Math.sin(seed * 12.9898) * 43_758.5453;
  return value - Math.floor(value);
};
const values = Float64Array.from({ length: POINTS }, (_, index) => noise(index));
for (let part = 0; part < PARTS; part += 1) {
  values[part * PART + Math.floor(noise(-part) * PART)] = 2 + noise(part + 0.5);
  values[part * PART + Math.floor(noise(-part - 0.5) * PART)] = -1 - noise(part + 0.25);
}

let station: Station;
let million: RunningJob;
beforeAll(async () => {
  station = await openStation();
  million = await station.worker.runJob('a million points');
  for (let from = 0; from < POINTS; from += BATCH)
    await million.report(
      Array.from(values.subarray(from, from + BATCH), (value, index) => ({ name: 'loss', iteration: from + index, value })),
    );
  await million.complete();
}, 600_000);
afterAll(() => station.close());

interface Asked {
  readonly names: readonly string[];
  readonly bytes: number;
  /** When its answer had come, by the clock of the test. */
  readonly at: number;
}

/** The answers to this operation that a page gets from now on. */
function listen(page: Page, operation: string): Asked[] {
  const asked: Asked[] = [];
  page.on('response', async (response) => {
    const body = response.request().postDataJSON() as { query?: string; variables?: { names?: string[] } } | null; // as the client sends it
    if (!body?.query?.includes(`query ${operation}(`)) return;
    asked.push({ names: body.variables?.names ?? [], bytes: (await response.body()).length, at: performance.now() });
  });
  return asked;
}

const plot = (page: Page) => page.locator('.plot[data-rows]');
const foot = (page: Page, text: RegExp | string) => page.locator('.chart .foot', { hasText: text });

/** The highest and the lowest pixel of the curve in each column, as parts of the height. */
const readInk = (page: Page) =>
  page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas');
    const over = document.querySelector('.plot .u-over');
    if (!canvas || !over) throw new Error('no chart');
    const [outer, inner] = [canvas.getBoundingClientRect(), over.getBoundingClientRect()];
    const { data, width, height } = canvas
      .getContext('2d')
      ?.getImageData(inner.left - outer.left, inner.top - outer.top, inner.width, inner.height) ?? { data: [], width: 0, height: 0 };
    return Array.from({ length: width }, (_, x) => {
      const rows = Array.from({ length: height }, (_, y) => y).filter((y) => {
        const at = 4 * (y * width + x);
        // The first colour of curves is blue. Grid and text are grey.
        return (data[at + 3] ?? 0) > 40 && (data[at + 2] ?? 0) - (data[at] ?? 0) > 60;
      });
      return rows.length === 0 ? null : { top: (rows[0] ?? 0) / height, bottom: ((rows.at(-1) ?? 0) + 1) / height };
    });
  });

type Ink = Awaited<ReturnType<typeof readInk>>;

/** The parts of the curve whose peak or trough is not where the full data have it. */
function partsThatDiffer(ink: Ink): number[] {
  const [low, high] = extremes(0, POINTS);
  const room = (high - low) * 0.05;
  const [bottom, top] = [low - room, high + room];
  const valueAt = (share: number) => top - share * (top - bottom);
  /** Three pixels: the line is 1.5 wide, and its ends are mitred. */
  const slack = (3 * (top - bottom)) / 150;
  /** A few columns: points stand for a small part of the curve, which ends elsewhere. */
  const beside = 5;
  return Array.from({ length: PARTS }, (_, part) => part).filter((part) => {
    const [from, to] = [Math.floor((part / PARTS) * ink.length), Math.ceil(((part + 1) / PARTS) * ink.length)];
    const drawn = ink.slice(Math.max(0, from - beside), to + beside).filter((column) => column !== null);
    const [least, most] = extremes(part * PART, (part + 1) * PART);
    const shownMost = Math.max(...drawn.map((column) => valueAt(column.top)));
    const shownLeast = Math.min(...drawn.map((column) => valueAt(column.bottom)));
    const inside = ink.slice(from + 1, to - 1).filter((column) => column !== null);
    const [leastAround, mostAround] = extremes((part - 1.5) * PART, (part + 2.5) * PART);
    return (
      shownMost < most - slack ||
      shownLeast > least + slack ||
      inside.some((column) => valueAt(column.top) > mostAround + slack || valueAt(column.bottom) < leastAround - slack)
    );
  });
}

function extremes(from: number, to: number): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values.subarray(Math.max(0, from), to)) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** From a click to the first frame in which a chart has its data. */
async function timeToPixels(page: Page, link: string): Promise<number> {
  await page.locator(link).waitFor();
  return page.evaluate(
    (selector) =>
      new Promise<number>((resolve) => {
        const startedAt = performance.now();
        document.querySelector<HTMLElement>(selector)?.click();
        const look = () => {
          if (document.querySelector('.plot[data-rows] canvas')) requestAnimationFrame(() => resolve(performance.now() - startedAt));
          else requestAnimationFrame(look);
        };
        look();
      }),
    link,
  );
}

describe('A curve of a million points', () => {
  test('is drawn with less than 40 kB, and says what it stands for', async () => {
    const { page, faults } = await station.open(`/jobs/${million.jobId}`);
    const asked = listen(page, 'metricCurves');
    const took = await timeToPixels(page, `a[href="/jobs/${million.jobId}/metrics"]`);
    const again = await page.goBack().then(() => timeToPixels(page, `a[href="/jobs/${million.jobId}/metrics"]`));
    const [min, max] = extremes(0, POINTS);
    await foot(page, whole).waitFor();
    await foot(page, `min ${formatValue(min)} · max ${formatValue(max)} · last ${formatValue(values.at(-1) ?? 0)}`).waitFor();
    console.log(`a million points: ${took.toFixed(0)} ms to pixels with uPlot, ${again.toFixed(0)} ms without, ${asked[0]?.bytes} bytes`);
    expect(asked[0]?.bytes).toBeLessThan(40_000);
    expect(again).toBeLessThan(SLOW_MS);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('would take more than 40 kB with ten times as many points', async () => {
    const { page } = await station.open('/');
    await page.route('**/graphql', (route) => {
      const body = route.request().postData() ?? '';
      return route.continue({ postData: body.replace('"maxPoints":900', '"maxPoints":9000') });
    });
    const asked = listen(page, 'metricCurves');
    await page.goto(`${station.gateway.url}/jobs/${million.jobId}/metrics`);
    await plot(page).waitFor();
    await expect.poll(() => asked[0]?.bytes).toBeGreaterThan(40_000);
    await page.context().close();
  });

  test('shows every peak and every trough of the full data', async () => {
    const { page } = await station.open(`/jobs/${million.jobId}/metrics`);
    await foot(page, whole).waitFor();
    expect(partsThatDiffer(await readInk(page))).toEqual([]);
    await page.context().close();
  });

  test('would not show them if each thousandth point was drawn', async () => {
    const { page } = await station.open('/');
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('query metricCurves(')) return route.continue();
      const response = await route.fetch();
      const body = await response.json();
      const [series] = body.data.job.metricCurves;
      series.points = Array.from({ length: 1_000 }, (_, index) => ({ i: index * 1_000, v: values[index * 1_000] }));
      return route.fulfill({ response, json: body });
    });
    await page.goto(`${station.gateway.url}/jobs/${million.jobId}/metrics`);
    await plot(page).waitFor();
    expect(partsThatDiffer(await readInk(page)).length).toBeGreaterThan(PARTS / 2);
    await page.context().close();
  });

  test('is read again for the window that is dragged, and a double click shows all of it', async () => {
    const { page } = await station.open(`/jobs/${million.jobId}/metrics`);
    await foot(page, whole).waitFor();
    const box = (await page.locator('.plot .u-over').boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    const at = (share: number) => [box.x + share * box.width, box.y + box.height / 2] as const;
    await page.mouse.move(...at(0.25));
    await page.mouse.down();
    await page.mouse.move(...at(0.5), { steps: 4 });
    const startedAt = performance.now();
    await page.mouse.up();
    await foot(page, new RegExp(`^900 of 2[45][\\d,]+ points · ${formatCount(POINTS)} in all`)).waitFor();
    console.log(`zoom: ${(performance.now() - startedAt).toFixed(0)} ms from the mouse to the text`);
    expect(performance.now() - startedAt).toBeLessThan(SLOW_MS);
    const { searchParams } = new URL(page.url());
    expect(Number(searchParams.get('from'))).toBeCloseTo(POINTS / 4, -4);
    expect(Number(searchParams.get('to'))).toBeCloseTo(POINTS / 2, -4);
    await page.goBack();
    await foot(page, whole).waitFor();
    await page.goForward();
    await foot(page, `${formatCount(POINTS)} in all`).waitFor();
    await page.locator('.plot .u-over').dblclick();
    await foot(page, whole).waitFor();
    expect(new URL(page.url()).searchParams.has('from')).toBe(false);
    await page.context().close();
  });

  test('is drawn in the colours of the theme when it changes', async () => {
    const { page } = await station.open(`/jobs/${million.jobId}/metrics`);
    await foot(page, whole).waitFor();
    const has = (colour: string) =>
      page.evaluate((wanted) => {
        const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas');
        const { data = [] } = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? {};
        for (let at = 0; at < data.length; at += 4) if (`${data[at]},${data[at + 1]},${data[at + 2]}` === wanted) return true;
        return false;
      }, colour);
    expect([await has('11,95,208'), await has('108,176,255')]).toEqual([true, false]);
    await page.keyboard.press('t');
    await expect.poll(() => has('108,176,255')).toBe(true);
    await page.context().close();
  });
});

describe('Curves of a job that runs', () => {
  test('go on from where they were read, without a missing point and with none twice, at most four times a second', async () => {
    const job = await station.worker.runJob('live');
    const report = (iteration: number) => job.report([{ name: 'train/loss', iteration, value: 1 / (iteration + 1) }]);
    let reported = 0;
    let isOver = false;
    const reporting = (async () => {
      while (!isOver) await report(reported++);
    })();
    const { page, faults } = await station.open(`/jobs/${job.jobId}/metrics`);
    await plot(page).waitFor();
    const redraws = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let count = 0;
          const observer = new MutationObserver(() => {
            count += 1;
          });
          const element = document.querySelector('.plot[data-rows]');
          if (element) observer.observe(element, { attributeFilter: ['data-rows'] });
          setTimeout(() => resolve(count), 3_000);
        }),
    );
    isOver = true;
    await reporting;
    await foot(page, new RegExp(`^${formatCount(reported)} points`)).waitFor();
    await foot(page, `last ${formatValue(1 / reported)}`).waitFor();
    console.log(`${reported} reports, ${redraws} redraws in 3 s`);
    expect(redraws).toBeGreaterThan(0);
    expect(redraws).toBeLessThanOrEqual(13);
    await job.complete();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('are read when they come into view: the first of 300 metrics, and the last after scrolling', async () => {
    const job = await station.worker.runJob('many metrics');
    const names = Array.from({ length: 300 }, (_, index) => `layer/${String(index).padStart(3, '0')}`);
    for (let iteration = 0; iteration < 3; iteration += 1)
      await job.report(names.map((name, index) => ({ name, iteration, value: index + iteration })));
    const { page } = await station.open('/');
    const asked = listen(page, 'metricCurves');
    await page.goto(`${station.gateway.url}/jobs/${job.jobId}/metrics`);
    await plot(page).first().waitFor();
    const first = new Set(asked.flatMap((one) => one.names));
    expect(first.has('layer/000')).toBe(true);
    expect(first.size).toBeLessThan(30);
    await page.locator('.chart').last().scrollIntoViewIfNeeded();
    await page.locator('.chart', { hasText: 'layer/299' }).locator('.foot', { hasText: 'last 301' }).waitFor();
    expect(await page.locator('.plot canvas').count()).toBeLessThan(40);
    await page.getByLabel('Find a metric').fill('17');
    await expect.poll(() => page.locator('.chart').count()).toBe(names.filter((name) => name.includes('17')).length);
    await page.context().close();
  });
});

describe('A comparison', () => {
  test('of 50 jobs with 500 points each shows all of them, and each can be hidden', async () => {
    const ids: string[] = [];
    for (let run = 0; run < 50; run += 1) {
      const job = await station.worker.runJob(`run ${run}`);
      await job.report(
        Array.from({ length: 500 }, (_, iteration) => ({ name: 'loss', iteration, value: Math.exp(-iteration / (50 + run)) })),
      );
      await job.complete();
      ids.push(job.jobId);
    }
    const { page, faults } = await station.open('/compare');
    await page.getByText('Nothing is chosen').waitFor();
    const asked = listen(page, 'comparedCurves');
    const startedAt = performance.now();
    await page.goto(`${station.gateway.url}/compare?jobs=${ids.join()}`);
    await foot(page, '25,000 points').waitFor();
    const shownAt = performance.now();
    const answeredAt = asked[0]?.at ?? startedAt;
    console.log(
      `50 jobs of 500 points: ${(shownAt - startedAt).toFixed(0)} ms with the page, ${asked[0]?.bytes} bytes; ` +
        `${(shownAt - answeredAt).toFixed(0)} ms from the answer to its text`,
    );
    expect(shownAt - startedAt).toBeLessThan(SLOW_MS);
    expect(await page.locator('.legend li').count()).toBe(50);
    await page.getByLabel('Show run 7', { exact: true }).uncheck();
    await expect.poll(() => new URL(page.url()).searchParams.get('hide')).toBe(ids[7]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
