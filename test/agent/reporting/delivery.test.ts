import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LeaseKeeper } from '../../../src/agent/attempt/lease.ts';
import { Delivery } from '../../../src/agent/reporting/delivery.ts';
import { LogWriter } from '../../../src/agent/reporting/log.ts';
import { Outbox } from '../../../src/agent/reporting/outbox.ts';
import { createRequester } from '../../../src/client/request.ts';
import { createFolder } from '../../support/folders.ts';
import { eventually } from '../eventually.ts';
import { type ProgressServer, startProgressServer } from '../progress-server.ts';

let server: ProgressServer;
beforeEach(async () => {
  server = await startProgressServer();
});
afterEach(() => server.close());

const at = '2026-01-01T00:00:00.000Z';

/** A running step's outbox and delivery, at this server. */
function openStep(leaseSeconds = 60) {
  const client = createRequester({ url: server.url, token: 'tyk_device' });
  const draining: boolean[] = [];
  const lease = new LeaseKeeper(client, 'lease_secret', leaseSeconds, (isDraining) => draining.push(isDraining));
  const outbox = new Outbox(createFolder('delivery'));
  lease.lost.addEventListener('abort', () => outbox.end());
  const log = new LogWriter((entry) => outbox.add({ kind: 'log', ...entry }));
  const delivery = new Delivery({ client, token: 'lease_secret', outbox, lease, note: (line) => log.note(line) });
  const print = (text: string) => {
    log.write('STDOUT', Buffer.from(text));
    log.flush();
  };
  const measure = (iteration: number, name = 'loss') => outbox.add({ kind: 'metric', name, value: 1 / iteration, iteration, at });
  return { lease, outbox, log, draining, print, measure, run: () => delivery.run(new AbortController().signal) };
}

describe('a step’s reports', () => {
  test('are delivered in order, with offsets in bytes', async () => {
    const step = openStep();
    const running = step.run();
    for (let i = 0; i < 20; i += 1) step.print(`Zeile ${i} ü🚂\n`);
    step.outbox.end();
    await running;
    expect(server.log()).toBe(Array.from({ length: 20 }, (_, i) => `Zeile ${i} ü🚂\n`).join(''));
    expect(step.outbox.isEmpty).toBe(true);
  });

  test('arrive once, whatever requests and answers are lost on the way', async () => {
    const step = openStep();
    server.faults.push('LOSE_ANSWER', 'LOSE_REQUEST', 'LOSE_ANSWER');
    const running = step.run();
    for (let i = 1; i <= 10; i += 1) {
      step.print(`line ${i}\n`);
      step.measure(i);
    }
    await eventually(() => expect(server.metrics).toHaveLength(10));
    server.faults.push('LOSE_ANSWER');
    step.print('last\n');
    step.outbox.end();
    await running;
    expect(server.log()).toBe(`${Array.from({ length: 10 }, (_, i) => `line ${i + 1}\n`).join('')}last\n`);
    expect(server.metrics.map(({ iteration }) => iteration)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(server.requests.length).toBeGreaterThanOrEqual(6);
  });

  test('arrive once and complete, however often the rate limit refused them', async () => {
    const step = openStep();
    server.faults.push('TOO_FAST', 'TOO_FAST');
    step.print('the only line\n');
    step.outbox.end();
    await step.run();
    expect(server.log()).toBe('the only line\n');
    expect(server.requests).toHaveLength(3);
  });

  test('go on, with a note, when the gateway has lost the end of its log', async () => {
    const step = openStep();
    const running = step.run();
    step.print('kept\nlost\n');
    await eventually(() => expect(server.log()).toBe('kept\nlost\n'));
    server.forgetLog(5);
    step.print('after\n');
    await eventually(() => expect(server.log()).toContain('after\n'));
    step.print('more\n');
    step.log.end();
    step.outbox.end();
    await running;
    expect(server.log()).toMatch(/^kept\nafter\n(.|\n)*more\n/);
    expect(server.log()).toContain('5 bytes of the log before this line are missing');
  });

  test('leave out the one entry that the gateway refuses, with a note', async () => {
    server.refusedName = 'bad name';
    const step = openStep();
    for (let i = 1; i <= 9; i += 1) step.measure(i, i === 5 ? 'bad name' : 'loss');
    step.print('text\n');
    const running = step.run();
    await eventually(() => expect(server.log()).toContain('Left out the metric "bad name" of iteration 5'));
    step.outbox.end();
    await running;
    expect(server.metrics.map(({ iteration }) => iteration)).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
    expect(server.log()).toMatch(/^text\n/);
  });

  test('are not sent any more when the lease is lost', async () => {
    const step = openStep();
    const running = step.run();
    step.print('one\n');
    await eventually(() => expect(server.log()).toBe('one\n'));
    server.isStale = true;
    step.print('two\n');
    await running;
    expect(step.lease.order).toMatchObject({ kind: 'LOST' });
    const { length } = server.requests;
    step.print('three\n');
    expect(server.requests).toHaveLength(length);
  });

  test('bring back the order to stop with their answer', async () => {
    const step = openStep();
    server.orders = { isCancelRequested: true, isPreempted: false, isDraining: true };
    const running = step.run();
    step.print('one\n');
    step.outbox.end();
    await running;
    expect(step.lease.order).toEqual({ kind: 'CANCEL', reason: null });
    expect(step.draining).toEqual([true]);
  });
});

describe('a lease', () => {
  test('is renewed at a third of its time, also after lost answers', async () => {
    server.faults.push('LOSE_ANSWER', 'LOSE_REQUEST');
    const { lease } = openStep(0.9);
    const keeping = lease.keep();
    const before = performance.now();
    await eventually(() => expect(server.requests.length).toBeGreaterThanOrEqual(5));
    expect(performance.now() - before).toBeGreaterThan(900);
    expect(lease.order).toBeNull();
    lease.close();
    await keeping;
  });

  test('tells why the job was cancelled, and its loss outweighs that', async () => {
    const { lease } = openStep(0.3);
    const keeping = lease.keep();
    server.orders.isCancelRequested = true;
    await eventually(() => expect(lease.order).toEqual({ kind: 'CANCEL', reason: 'enough' }));
    expect(lease.lost.aborted).toBe(false);
    server.isStale = true;
    await keeping;
    expect(lease.order).toMatchObject({ kind: 'LOST' });
  });

  test('tells that its step is preempted', async () => {
    const { lease } = openStep(0.3);
    server.orders.isPreempted = true;
    const keeping = lease.keep();
    await eventually(() => expect(lease.order).toEqual({ kind: 'PREEMPT' }));
    lease.close();
    await keeping;
  });
});
