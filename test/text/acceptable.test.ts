import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptMessage, cut, cutAround, cutStart, quoteName } from '../../src/text/acceptable.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 60 });

describe('text that is cut', () => {
  test('stays well-formed, has at most the given length, and is a beginning or end of the text', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 70 }), (text, atMost) => {
        const [start, end] = [cut(text, atMost), cutStart(text, atMost)];
        expect(start.isWellFormed() && end.isWellFormed()).toBe(true);
        expect(Math.max(start.length, end.length)).toBeLessThanOrEqual(atMost);
        expect(text.startsWith(start.replace(/…$/, '')) && text.endsWith(end)).toBe(true);
      }),
    );
  });

  test('around a position stays well-formed, has at most the given length, and keeps what is there', () => {
    fc.assert(
      fc.property(anyText, anyText, fc.integer({ min: 20, max: 70 }), (before, after, atMost) => {
        const shown = cutAround(`${before}needle${after}`, before.length, atMost);
        expect(shown.isWellFormed()).toBe(true);
        expect(shown.length).toBeLessThanOrEqual(atMost);
        expect(`${before}needle${after}`).toContain(shown.replace(/^…/, '').replace(/…$/, ''));
        expect(shown).toContain('needle');
      }),
    );
  });

  test('drops half of a surrogate pair', () => {
    expect(cut('😀😀😀', 4)).toBe('😀…');
    expect(cutStart('😀😀😀', 3)).toBe('😀');
    expect(cut('abc', 3)).toBe('abc');
  });
});

test('a message keeps lines and tabs, and loses other control characters and halves of surrogate pairs', () => {
  expect(acceptMessage('a\r\nb\tc\u001b[31md\u001b[0m\u0000e\ud83d', 100)).toBe('a\nb\tcd\uFFFDe\uFFFD');
  fc.assert(
    fc.property(fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }), (text) => {
      const accepted = acceptMessage(text, 20);
      expect(accepted.isWellFormed() && accepted.length <= 20 && !accepted.includes('\0')).toBe(true);
    }),
  );
});

test('a name is quoted on one line, with invisible characters replaced', () => {
  expect(quoteName('a\nb\u202ec\ud83d')).toBe('"a\uFFFDb\uFFFDc\uFFFD"');
  expect(quoteName('x'.repeat(300))).toHaveLength(102);
});
