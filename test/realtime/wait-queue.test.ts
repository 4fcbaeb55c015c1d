import { describe, expect, test } from 'vitest';
import { Line } from '../../src/realtime/wait-queue.ts';

/** People who come to stand in line one after the other; `woken` says who was woken since it was last asked. */
function people(line: Line, names: string) {
  let woken: string[] = [];
  const places = new Map([...names].map((name) => [name, line.enter(() => woken.push(name))]));
  return {
    of(name: string) {
      const place = places.get(name);
      if (!place) throw new Error(`Nobody is called ${name}.`);
      return place;
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

describe('A line', () => {
  test('wakes who has waited longest, one for each that comes', () => {
    const line = new Line();
    const waiting = people(line, 'abc');
    line.tell('q');
    expect(waiting.woken()).toBe('a');
    line.tell('q');
    expect(waiting.woken()).toBe('b');
  });

  test('has who finds a queue empty wake nobody', async () => {
    const line = new Line();
    const waiting = people(line, 'abc');
    line.tell('q');
    waiting.of('a').look();
    await waiting.of('a').looked(none);
    expect(waiting.woken()).toBe('a');
  });

  test('has each that finds something left wake two more, until everyone has looked', async () => {
    const line = new Line();
    const waiting = people(line, 'abcdefg');
    line.tell('q');
    const turns = [];
    for (let woken = waiting.woken(); woken !== ''; woken = waiting.woken()) {
      turns.push(woken);
      for (const name of woken) waiting.of(name).look();
      for (const name of woken) await waiting.of(name).looked(left);
    }
    expect(turns).toEqual(['a', 'bc', 'defg']);
  });

  test('wakes again who was looking when the news came', async () => {
    const line = new Line();
    const waiting = people(line, 'a');
    waiting.of('a').look();
    line.tell('q');
    await waiting.of('a').looked(none);
    expect(waiting.woken()).toBe('a');
  });

  test('wakes another for who goes away: woken and not yet looking, looking, or told while he looked', () => {
    const line = new Line();
    const waiting = people(line, 'abcd');
    line.tell('q');
    waiting.of('a').leave();
    expect(waiting.woken()).toBe('ab');
    waiting.of('b').look();
    waiting.of('b').leave();
    expect(waiting.woken()).toBe('c');
    waiting.of('c').look();
    line.tell('r');
    waiting.of('c').leave();
    expect(waiting.woken()).toBe('cdd');
    waiting.of('d').leave();
    expect([waiting.woken(), line.size]).toEqual(['', 0]);
  });

  test('leaves an errand with who keeps it, to look again, or to hand it over when he goes', async () => {
    const line = new Line();
    const waiting = people(line, 'abc');
    line.tell('q');
    waiting.of('a').look();
    await waiting.of('a').looked(left, new Set('q'));
    expect(waiting.woken()).toBe('a');
    waiting.of('a').look();
    await waiting.of('a').looked(left);
    expect(waiting.woken()).toBe('bc');
    line.tell('r');
    waiting.of('a').look();
    await waiting.of('a').looked(left, new Set('r'));
    waiting.of('a').leave();
    expect(waiting.woken()).toBe('ab');
  });

  test('takes not knowing whether something is left for something left', async () => {
    const line = new Line();
    const waiting = people(line, 'abcd');
    line.tell('q');
    waiting.of('a').look();
    await waiting.of('a').looked(() => Promise.reject(new Error('The database is away.')));
    expect(waiting.woken()).toBe('abc');
  });

  test('sends others for another queue, while there are others', () => {
    const line = new Line();
    const waiting = people(line, 'ab');
    line.tell('q');
    line.tell('r');
    expect(waiting.woken()).toBe('ab');
    line.tell('s');
    expect(waiting.woken()).toBe('a');
  });

  test('wakes all when anything may have come', () => {
    const line = new Line();
    const waiting = people(line, 'abc');
    line.tellAll();
    expect(waiting.woken()).toBe('abc');
  });
});
