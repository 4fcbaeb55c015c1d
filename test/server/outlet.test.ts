import { expect, test } from 'vitest';
import { Outlet } from '../../src/server/connections/outlet.ts';

interface Written {
  readonly piece: string;
  readonly isLast: boolean;
  readonly done: (error?: Error | null) => void;
}

function openOutlet() {
  const written: Written[] = [];
  const outlet = new Outlet((piece, isLast, done) => written.push({ piece, isLast, done }));
  return { outlet, written };
}

test('short messages are sent whole, one after another', async () => {
  const { outlet, written } = openOutlet();
  const sent = [outlet.send('a', 'b', 'c'), outlet.send('d')];
  expect(written.map(({ piece, isLast }) => [piece, isLast])).toEqual([
    ['abc', true],
    ['d', true],
  ]);
  for (const { done } of written) done();
  expect(await Promise.all(sent)).toEqual([true, true]);
  expect(outlet.waiting).toBe(0);
});

test('a long message is sent in pieces, few of them at once, and each is visible progress (P9)', async () => {
  const { outlet, written } = openOutlet();
  const text = 'x'.repeat(1_000_000);
  const sent = outlet.send('<', text, '>');
  const after = outlet.send('next');
  let most = 0;
  for (let i = 0; outlet.waiting > 1; i++) {
    most = Math.max(
      most,
      written.slice(i).reduce((sum, { piece }) => sum + piece.length, 0),
    );
    const before = outlet.taken;
    written[i]?.done();
    expect(outlet.taken).toBeGreaterThan(before);
    if (i > 100) throw new Error('It does not end.');
  }
  expect(most).toBeLessThan(200_000);
  expect(await sent).toBe(true);
  const last = written.findIndex(({ isLast }) => isLast);
  expect(
    written
      .slice(0, last + 1)
      .map(({ piece }) => piece)
      .join(''),
  ).toBe(`<${text}>`);
  written.at(-1)?.done();
  expect(await after).toBe(true);
});

test('no character is split between two pieces', () => {
  for (const shift of ['', 'x']) {
    const { outlet, written } = openOutlet();
    const text = shift + '😀'.repeat(100_000);
    void outlet.send(text);
    for (let i = 0; i < written.length; i++) written[i]?.done();
    expect(written.map(({ piece }) => Buffer.from(piece).toString()).join('')).toBe(text);
  }
});

test('a message that waits is settled when the peer is gone', async () => {
  const { outlet, written } = openOutlet();
  const sent = [outlet.send('x'.repeat(300_000)), outlet.send('after')];
  written[0]?.done(new Error('gone'));
  expect(await Promise.all(sent)).toEqual([false, false]);
  expect(outlet.waiting).toBe(0);
});
