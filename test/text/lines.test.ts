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

  test('is ended by a line feed alone', () => {
    expect(countBreaks('one\ntwo\r\n\n\rthree\u2028\v\f')).toBe(3);
    expect(countBreaks('')).toBe(0);
  });
});
