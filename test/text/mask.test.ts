import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Mask, MaskedStream } from '../../src/text/mask.ts';

const write = (stream: MaskedStream, pieces: readonly string[]) => pieces.map((piece) => stream.write(piece)).join('') + stream.end();

describe('a secret in a text (P16)', () => {
  test('is masked wherever it stands, as it is and as JSON and URLs have it', () => {
    const mask = new Mask(['s3cret/"ä', 'other']);
    const text = `a=s3cret/"ä ${JSON.stringify({ k: 's3cret/"ä' })} ?k=${encodeURIComponent('s3cret/"ä')} otherother`;
    expect(mask.text(text)).toBe('a=*** {"k":"***"} ?k=*** ***');
    expect(mask.value({ other: ['x other', 1, null, { y: 'other' }] })).toEqual({ '***': ['x ***', 1, null, { y: '***' }] });
  });

  test('is masked with its parts that others are made of, and so are its longer lines', () => {
    expect(new Mask(['abcd', 'cdef']).text('xabcdefx')).toBe('x***x');
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nend\n';
    expect(new Mask([key]).text('log: MIIEvQIBADANBg\nend')).toBe('log: ***\nend');
  });

  test('that is empty masks nothing', () => {
    expect(new Mask(['']).text('text')).toBe('text');
  });

  test('takes as many bytes in a log as it had', () => {
    const masked = new Mask(['sécret']).bytewise('a sécret b');
    expect(masked).toBe('a ******* b');
    expect(Buffer.byteLength(masked)).toBe(Buffer.byteLength('a sécret b'));
  });

  test('is masked in a stream however it is split, and what is none comes out whole', () => {
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

  test('is held back only as long as it may be one', () => {
    const stream = new MaskedStream(new Mask(['secret']));
    expect(stream.write('line\nsecre')).toBe('line\n');
    expect(stream.write('d\nse')).toBe('secred\n');
    expect(stream.write('cret')).toBe('***');
    expect(stream.end()).toBe('');
  });

  test('costs a time that grows with the text, whatever the secret is', () => {
    const text = 'a'.repeat(900_000);
    const secrets = [`${'a'.repeat(16_000)}b${'a'.repeat(16_000)}`, `b${'a'.repeat(32_000)}`, 'a', 'aaab'];
    for (const secret of secrets) {
      const began = performance.now();
      write(new MaskedStream(new Mask([secret])), [text, 'ab'.repeat(400_000)]);
      expect(performance.now() - began).toBeLessThan(3_000);
    }
  });
});
