/** The gateway is killed under an open page: the page says so, and loses and doubles nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

test('a page over three kills of its gateway says that it reconnects, stops its clocks, and has every line once', async () => {
  const { gateway, worker } = station;
  const job = await worker.runJob('survivor');
  const { page, faults } = await station.open(`/jobs/${job.jobId}`);
  const dot = page.locator('.live');
  const clock = () => page.locator('.facts .mono').first().textContent();
  let written = 0;
  const write = async (count: number) => {
    await job.write(Array.from({ length: count }, () => `line ${++written}\n`).join(''));
  };
  await write(50);
  await page.locator('.ln pre', { hasText: /^line 50$/ }).waitFor();
  for (let kill = 1; kill <= 3; kill += 1) {
    await gateway.kill('SIGKILL');
    await page.locator('.live[data-state=reconnecting], .live[data-state=offline]').waitFor({ timeout: 5_000 });
    expect(await dot.textContent()).toMatch(/^(Reconnecting|Offline) · as of \d\d:\d\d:\d\d$/);
    const stopped = await clock();
    // The clock would have ticked by then.
    await page.waitForTimeout(1_500);
    expect(await clock()).toBe(stopped);
    await gateway.restart();
    await write(50);
    await page.locator('.live[data-state=live]').waitFor({ timeout: 30_000 });
    await page.locator('.ln pre', { hasText: new RegExp(`^line ${written}$`) }).waitFor();
  }
  await job.complete();
  await page.locator('.facts').getByText('Succeeded').waitFor();
  // Every line, read from the page as it is scrolled.
  const seen = new Map<string, string>();
  const rows = async () => {
    const pairs = await page
      .locator('.ln')
      .evaluateAll((elements) =>
        elements.map((row) => [row.querySelector('.no')?.textContent ?? '', row.querySelector('pre')?.textContent ?? '']),
      );
    for (const [number = '', text = ''] of pairs) seen.set(number, text);
  };
  for (let part = 0; part <= 20; part += 1) {
    await page.evaluate(async (share) => {
      const box = document.querySelector('.log-scroll');
      if (box) box.scrollTop = (box.scrollHeight - box.clientHeight) * share;
      for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    }, part / 20);
    await page.waitForFunction(() => [...document.querySelectorAll('.ln pre')].every((row) => row.textContent !== '…'));
    await rows();
  }
  expect([...seen.values()].sort()).toEqual(Array.from({ length: written }, (_, index) => `line ${index + 1}`).sort());
  expect(faults.filter((fault) => !/WebSocket|ERR_CONNECTION/.test(fault))).toEqual([]);
  await page.context().close();
});

test('a control: a page whose stream does not resume would miss lines', async () => {
  const { gateway, worker } = station;
  const job = await worker.runJob('control');
  const { page } = await station.open(`/jobs/${job.jobId}`);
  await job.write('line 1\n');
  await page.locator('.ln pre', { hasText: 'line 1' }).waitFor();
  // No socket and no stream of events comes through from now on.
  await page.context().route('**/graphql', (route) => route.abort());
  await page.routeWebSocket(/graphql/, (socket) => socket.close());
  await gateway.kill('SIGKILL');
  await gateway.restart();
  await job.write('line 2\n');
  await page.locator('.live[data-state=reconnecting], .live[data-state=offline]').waitFor();
  expect(await page.locator('.ln pre').allTextContents()).toEqual(['line 1']);
  await page.context().close();
});
