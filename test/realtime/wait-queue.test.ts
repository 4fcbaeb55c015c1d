import { describe, expect, test } from 'vitest';
import { WaitQueue } from '../../src/realtime/wait-queue.ts';

/**
 * Claims that enter the queue one after the other. `woken` returns those woken since its last call.
 */
function claims(queue: WaitQueue, names: string) {
  let woken: string[] = [];
  const tickets = new Map([...names].map((name) => [name, queue.enter(() => woken.push(name))]));
  return {
    of(name: string) {
      const ticket = tickets.get(name);
      if (!ticket) throw new Error(`Nobody is called ${name}.`);
      return ticket;
    },
    woken() {
      const now = woken.join('');
      woken = [];
      return now;
    },
  };
}

const left = async () => true;
const none = async () => false;

describe('The wait queue', () => {
  test('wakes the claim that has waited longest, one for each step', () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abc');
    queue.nudge('q');
    expect(waiting.woken()).toBe('a');
    queue.nudge('q');
    expect(waiting.woken()).toBe('b');
  });

  test('wakes no other claim when one finds the queue of steps empty', async () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abc');
    queue.nudge('q');
    waiting.of('a').startLook();
    await waiting.of('a').finishLook(none);
    expect(waiting.woken()).toBe('a');
  });

  test('lets each claim that finds a step left wake two more, until every claim has looked', async () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abcdefg');
    queue.nudge('q');
    const turns = [];
    for (let woken = waiting.woken(); woken !== ''; woken = waiting.woken()) {
      turns.push(woken);
      for (const name of woken) waiting.of(name).startLook();
      for (const name of woken) await waiting.of(name).finishLook(left);
    }
    expect(turns).toEqual(['a', 'bc', 'defg']);
  });

  test('wakes a claim again that was looking when the step came', async () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'a');
    waiting.of('a').startLook();
    queue.nudge('q');
    await waiting.of('a').finishLook(none);
    expect(waiting.woken()).toBe('a');
  });

  test('wakes another claim for one that leaves: woken but not yet looking, looking, or woken again while it looked', () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abcd');
    queue.nudge('q');
    waiting.of('a').leave();
    expect(waiting.woken()).toBe('ab');
    waiting.of('b').startLook();
    waiting.of('b').leave();
    expect(waiting.woken()).toBe('c');
    waiting.of('c').startLook();
    queue.nudge('r');
    waiting.of('c').leave();
    expect(waiting.woken()).toBe('cdd');
    waiting.of('d').leave();
    expect([waiting.woken(), queue.size]).toEqual(['', 0]);
  });

  test('leaves a nudge with a claim that keeps it, which looks again or passes it on when it leaves', async () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abc');
    queue.nudge('q');
    waiting.of('a').startLook();
    await waiting.of('a').finishLook(left, new Set('q'));
    expect(waiting.woken()).toBe('a');
    waiting.of('a').startLook();
    await waiting.of('a').finishLook(left);
    expect(waiting.woken()).toBe('bc');
    queue.nudge('r');
    waiting.of('a').startLook();
    await waiting.of('a').finishLook(left, new Set('r'));
    waiting.of('a').leave();
    expect(waiting.woken()).toBe('ab');
  });

  test('assumes that a step is left if it cannot find out', async () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abcd');
    queue.nudge('q');
    waiting.of('a').startLook();
    await waiting.of('a').finishLook(() => Promise.reject(new Error('The database is away.')));
    expect(waiting.woken()).toBe('abc');
  });

  test('sends other claims to another queue, while there are any', () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'ab');
    queue.nudge('q');
    queue.nudge('r');
    expect(waiting.woken()).toBe('ab');
    queue.nudge('s');
    expect(waiting.woken()).toBe('a');
  });

  test('wakes all claims when any queue may have changed', () => {
    const queue = new WaitQueue();
    const waiting = claims(queue, 'abc');
    queue.nudgeAll();
    expect(waiting.woken()).toBe('abc');
  });
});
