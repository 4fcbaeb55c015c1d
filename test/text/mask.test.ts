import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Mask, MaskedStream } from '../../src/text/mask.ts';

const write = (stream: MaskedStream, pieces: readonly string[]) => pieces.map((piece) => stream.write(piece)).join('') + stream.end();

describe('a secret in a text (P16)', () => {
  test('is masked everywhere, plain and as in JSON and URLs', () => {
    const mask = new Mask(['s3cret/"ä', 'other']);
    const text = `a=s3cret/"ä ${JSON.stringify({ k: 's3cret/"ä' })} ?k=${encodeURIComponent('s3cret/"ä')} otherother`;
    expect(mask.text(text)).toBe('a=*** {"k":"***"} ?k=*** ***');
    expect(mask.value({ other: ['x other', 1, null, { y: 'other' }] })).toEqual({ '***': ['x ***', 1, null, { y: '***' }] });
  });

  test('is masked together with other secrets that are parts of it, and so are its longer lines', () => {
    expect(new Mask(['abcd', 'cdef']).text('xabcdefx')).toBe('x***x');
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nend\n';
    expect(new Mask([key]).text('log: MIIEvQIBADANBg\nend')).toBe('log: ***\nend');
  });

  test('that is empty masks nothing', () => {
    expect(new Mask(['']).text('text')).toBe('text');
  });

  test('keeps its number of bytes in a log', () => {
    const masked = new Mask(['sécret']).bytewise('a sécret b');
    expect(masked).toBe('a ******* b');
    expect(Buffer.byteLength(masked)).toBe(Buffer.byteLength('a sécret b'));
  });

  test('is masked in a stream however it is split, and other text comes out unchanged', () => {
    const unit = fc.constantFrom('a', 'b', 'ab', 'abaab', 'x', '\n', '😀');
    const secret = fc.constantFrom('abaab', 'aab', 'ab\nab', 'b😀a');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 30 }), fc.array(secret, { minLength: 1, maxLength: 2 }), (pieces, secrets) => {
        const mask = new Mask(secrets);
        const masked = write(new MaskedStream(mask), pieces);
        for (const each of secrets) expect(masked).not.toContain(each);
        const whole = pieces.join('');
        if (secrets.every((each) => !whole.includes(each))) expect(masked).toBe(whole);
      }),
    );
  });

  test('that is long is masked to its end in a stream, wherever it is split', () => {
    const secret = `tyk_${'0123456789'.repeat(7)}`;
    const mask = new Mask([secret, `${secret.slice(60)}-and-more`]);
    for (let size = 1; size <= secret.length + 2; size += 1) {
      const text = `<${secret}>`;
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, piece) => text.slice(piece * size, (piece + 1) * size));
      expect(write(new MaskedStream(mask), pieces)).toBe('<***>');
    }
  });

  test('that is long is masked as far as it came when a stream ends within it', () => {
    const secret = 'abcdefghij'.repeat(9);
    expect(write(new MaskedStream(new Mask([secret])), [secret.slice(0, 70), secret.slice(70, 80)])).toBe('***');
  });

  test('delays a stream only while the text may still be the secret', () => {
    const stream = new MaskedStream(new Mask(['secret']));
    expect(stream.write('line\nsecre')).toBe('line\n');
    expect(stream.write('d\nse')).toBe('secred\n');
    expect(stream.write('cret')).toBe('***');
    expect(stream.end()).toBe('');
  });

  test('is masked in time linear in the text, whatever the secret is', () => {
    const text = 'a'.repeat(900_000);
    const secrets = [`${'a'.repeat(16_000)}b${'a'.repeat(16_000)}`, `b${'a'.repeat(32_000)}`, 'a', 'aaab'];
    for (const secret of secrets) {
      const began = performance.now();
      write(new MaskedStream(new Mask([secret])), [text, 'ab'.repeat(400_000)]);
      expect(performance.now() - began).toBeLessThan(3_000);
    }
  });
});
