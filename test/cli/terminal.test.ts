import { describe, expect, test } from 'vitest';
import { LogLines } from '../../src/cli/output/loglines.ts';
import { renderTable } from '../../src/cli/output/table.ts';
import { cleanLog, cleanName, truncate } from '../../src/cli/terminal.ts';

describe('a name from the gateway', () => {
  test.each([
    ['a title that is set', 'a\u001b]0;owned\u0007b', 'ab'],
    ['a title that is never ended', 'a\u001b]0;owned', 'a'],
    ['a cleared screen', 'a\u001b[2J\u001b[Hb', 'ab'],
    ['colours', 'a\u001b[31mb\u001b[0m', 'ab'],
    ['a C1 control', 'a\u009b31mb', 'a31mb'],
    ['a line break and a tab', 'a\nb\tc\rd', 'a b cd'],
    ['a bell, a backspace and a NUL', 'a\u0007\u0008\u0000b', 'ab'],
    ['a turned direction of writing', 'gpj.\u202eexe', 'gpj.exe'],
    ['a lone escape', 'a\u001b', 'a'],
    ['what is harmless', 'Größe 図 👍🏽', 'Größe 図 👍🏽'],
  ])('is shown without %s', (_case, text, shown) => {
    expect(cleanName(text)).toBe(shown);
  });
});

describe('a log', () => {
  test('keeps its lines, tabs and colours, which end with their line, and nothing else', () => {
    const text = '\u001b[31mred\nplain\u001b[2J\u001b]8;;http://x\u0007link\n\ttab\r\nover\rwritten';
    expect(cleanLog(text, true)).toBe('\u001b[31mred\u001b[0m\nplainlink\n\ttab\nwritten');
    expect(cleanLog(text, false)).toBe('red\nplainlink\n\ttab\nwritten');
  });

  test('is shown in whole lines, wherever its chunks are split', () => {
    const lines = new LogLines(true);
    const take = (text: string, stream: 'STDOUT' | 'STDERR' = 'STDOUT') => lines.take({ stepNumber: 0, attempt: 1, stream, text });
    expect(take('one\ntw')).toBe('one\n');
    expect(take('warning\n', 'STDERR')).toBe('warning\n');
    expect(take('o \u001b[3')).toBe('');
    expect(take('2mgreen\u001b[0m\r')).toBe('');
    expect(take('\nrest')).toBe('two \u001b[32mgreen\u001b[0m\u001b[0m\n');
    expect(lines.flush()).toBe('rest\n');
    expect(lines.flush()).toBe('');
  });

  test.each([
    ['a bar', ['10%\r20%\r30%\n'], '30%\n'],
    ['a bar that begins its line anew', ['\r10%', '\r20%', '\r30%', '\n'], '30%\n'],
    ['a bar cut anywhere', [...'10%\r20%\r30%\r\nnext\r\n'], '30%\nnext\n'],
    ['a break of Windows over two chunks', ['one\r', '\ntwo\r', '\n'], 'one\ntwo\n'],
    ['two carriage returns before a break', ['one\r\r\n'], 'one\n'],
    ['a line that is written over after its chunk', ['one\r', 'two\n'], 'two\n'],
    ['a bar that is not ended', ['10%\r20%\r'], '20%\n'],
    ['many lines', ['a\rb\nc\rd\ne\n'], 'b\nd\ne\n'],
    ['an empty line', ['\n\r\n'], '\n\n'],
  ])('shows of %s the last write of each line', (_case, chunks, shown) => {
    const lines = new LogLines(false);
    const taken = chunks.map((text) => lines.take({ stepNumber: 0, attempt: 1, stream: 'STDERR', text }));
    expect(taken.join('') + lines.flush()).toBe(shown);
  });

  test('keeps only the last write of a progress bar in memory, even after hours', () => {
    const lines = new LogLines(false);
    const chunk = { stepNumber: 0, attempt: 1, stream: 'STDERR' as const };
    for (let i = 0; i < 20_000; i += 1) expect(lines.take({ ...chunk, text: `\r${i} of 20000 ${'#'.repeat(100)}` })).toBe('');
    expect(lines.begun).toMatch(/^19999 of 20000 #+$/);
  });

  test('shows an endless line in pieces', () => {
    const lines = new LogLines(false);
    const chunk = { stepNumber: 0, attempt: 1, stream: 'STDOUT' as const };
    expect(lines.take({ ...chunk, text: 'so: ' })).toBe('');
    expect(lines.take({ ...chunk, text: 'x'.repeat(20_000) })).toBe(`so: ${'x'.repeat(20_000)}\n`);
  });
});

describe('a table', () => {
  const columns = [
    { title: 'ID', value: (row: { id: string }) => row.id },
    { title: 'NAME', value: (row: { name: string }) => row.name, isFlexible: true },
    { title: 'SIZE', value: (row: { size: number }) => String(row.size), isNumber: true },
  ];
  const rows = [
    { id: 'job_1', name: 'a name that is rather long\u001b[2J', size: 5 },
    { id: 'job_22', name: '図書館', size: 1234 },
  ];
  const output = (columns?: number) => ({ write: () => true, once: () => {}, on: () => {}, isTTY: columns !== undefined, columns });

  test('cuts only what may be cut, and only on a terminal', () => {
    expect(renderTable(output(), columns, rows).split('\n')).toEqual([
      'ID      NAME                        SIZE',
      'job_1   a name that is rather long     5',
      'job_22  図書館                      1234',
      '',
    ]);
    expect(renderTable(output(28), columns, rows).split('\n')).toEqual([
      'ID      NAME            SIZE',
      'job_1   a name that i…     5',
      'job_22  図書館          1234',
      '',
    ]);
  });

  test('knows the width of what it shows', () => {
    for (const [text, width] of [
      ['abc', 3],
      ['図書', 4],
      ['e\u0301', 1],
      ['👍🏽', 2],
    ] as const) {
      expect(truncate(text, width)).toBe(text);
      expect(truncate(`${text}!`, width)).not.toContain('!');
    }
    expect(truncate('図書館', 5)).toBe('図書…');
  });
});
