import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { callOf, readTraceParent } from '../../src/server/watch/call.ts';
import { describeFault, logRecurring } from '../../src/server/watch/log.ts';

const idOf = (headers: Record<string, string>) => callOf({ headers } as unknown as IncomingMessage, 'http').id; // only the headers are read

describe('The id of a request', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  test("is the client's if that is valid, else the trace's", () => {
    expect(idOf({ 'x-request-id': 'abc-123_x.y:z', traceparent })).toBe('abc-123_x.y:z');
    expect(idOf({ traceparent })).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  });

  test.each(['short', 'with space in it', 'x'.repeat(129), 'line\nbreak-in-it', 'tyk_a-key-in-the-wrong-header', 'lease_a-token-too'])(
    'is made where %j came',
    (given) => {
      expect(idOf({ 'x-request-id': given })).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  test.each([
    '',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
  ])('is not taken from %j, which is no traceparent', (header) => {
    expect(readTraceParent(header)).toBeNull();
  });
});

describe('What the log says of an error', () => {
  test('has no key, token, signature or password, and no value of a query', () => {
    const cause = new Error('near "x": syntax error');
    const query = Object.assign(new Error('Failed query: select ?\nparams: a-value'), { query: 'select ?', params: ['a-value'], cause });
    expect(describeFault(query)).toMatchObject({
      error: 'near "x": syntax error; the query: select ?',
      stack: expect.stringMatching(/^at /),
    });
    expect(JSON.stringify(describeFault(query))).not.toContain('a-value');
    const said = describeFault(new Error('tyk_abc lease_01_1_x /f?signature=s3cret postgres://u:pass@host/db')).error;
    expect(said).toBe('tyk_… lease_… /f?signature=… postgres://u:…@host/db');
  });

  test('is written once a minute while its cause lasts, and at once when it returns', () => {
    const said: unknown[] = [];
    let now = 0;
    const note = logRecurring({ error: (_message, fields) => void said.push(fields) }, 'It fails.', () => now);
    for (now = 0; now <= 60_000; now += 500) note(new Error('full'));
    expect(said).toMatchObject([{ error: 'full' }, { error: 'full', unsaid: 119 }]);
    now += 10_001;
    note(new Error('full'));
    expect(said).toHaveLength(3);
  });
});
