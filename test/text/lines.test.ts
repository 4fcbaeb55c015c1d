import { describe, expect, test } from 'vitest';
import { countBreaks, lastWrite, lastWriteOf, shownLine } from '../../src/text/lines.ts';

describe('A line that a program has printed', () => {
  test.each([
    ['plain', 'plain'],
    ['10%\r20%', '20%'],
    ['\r10%', '10%'],
    ['10%\r', '10%'],
    ['10%\r20%\r\r', '20%'],
    ['\r', ''],
    ['', ''],
  ])('shows what it was last overwritten with: %j', (line, written) => {
    expect(lastWrite(line)).toBe(written);
    expect(line.slice(lastWriteOf(line)).replace(/\r+$/, '')).toBe(written);
  });

  test('is not begun anew by a carriage return alone', () => {
    expect([lastWriteOf('\r'), lastWriteOf('\r\r')]).toEqual([0, 0]);
  });

  test('is shown without escape sequences', () => {
    expect(shownLine('\u001b[31mred\u001b[0m and \u009b1mbold')).toBe('red and bold');
    expect(shownLine('old\r\u001b[Knew')).toBe('new');
  });

  test('is shown without titles and links, which a terminal does not print', () => {
    expect(shownLine('\u001b]0;title\u0007one \u001b]8;;https://example.org\u001b\\two\u001b]8;;\u001b\\')).toBe('one two');
    expect(shownLine('\u001b]0; no end')).toBe('; no end');
  });

  test.each(['\u001b]8;;', '\u001b]', '\u001b[1;', '\u001b[', '\u009b', '\u001b', '1;'])(
    'of a megabyte of %j is shown at once (P9)',
    (part) => {
      const hostile = `\u001b[${part.repeat(1_000_000 / part.length)}`;
      const startedAt = performance.now();
      shownLine(hostile);
      // Node's stripVTControlCharacters takes more than a minute for some of them.
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    },
  );

  test('is ended by a line feed alone', () => {
    expect(countBreaks('one\ntwo\r\n\n\rthree\u2028\v\f')).toBe(3);
    expect(countBreaks('')).toBe(0);
  });
});
