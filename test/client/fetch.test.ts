import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { GatewayUnreachable, isPayload, Refused, unwrap } from '../../src/client/errors.ts';
import { RenewLeaseDocument, type ReportProgressMutation } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  // A server that listens on TCP has an address of this shape.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const variables = { input: { leaseToken: 'lease_1' } };

function answer(status: number, body: unknown): RequestListener {
  return (request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

describe('a request', () => {
  test('carries the document, its variables and the key, under the path of its base address', async () => {
    const seen: unknown[] = [];
    const url = await listen(async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      seen.push(request.url, request.headers.authorization, JSON.parse(text).variables);
      response.end(JSON.stringify({ data: { renewLease: { __typename: 'StaleLeaseError', code: 'STALE_LEASE', message: 'gone' } } }));
    });
    const data = await createRequester({ url: `${url}/train`, token: 'tyk_1' }).request(RenewLeaseDocument, variables);
    expect(seen).toEqual(['/train/graphql', 'Bearer tyk_1', variables]);
    expect(isPayload(data.renewLease)).toBe(false);
    expect(() => unwrap(data.renewLease)).toThrow(expect.objectContaining({ name: 'Refused', code: 'STALE_LEASE', message: 'gone' }));
  });

  test('that is refused for some of its fields throws the issue of each', () => {
    const issues = [{ path: ['leaseSeconds'], message: 'must be more than 0' }];
    const result: ReportProgressMutation['reportProgress'] = {
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      message: 'no',
      issues,
    };
    expect(() => unwrap(result)).toThrow(Refused);
    expect(() => unwrap(result)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', message: 'no', issues }));
  });

  test.each([
    ['with a top-level error', 200, { errors: [{ message: 'Who?', extensions: { code: 'UNAUTHENTICATED' } }] }, 'UNAUTHENTICATED', 'Who?'],
    ['with HTTP 401 and no GraphQL answer', 401, '', 'UNAUTHENTICATED', /HTTP 401/],
    ['by something that is no gateway', 200, '<html>hello</html>', 'BAD_REQUEST', /not one of a Trainyard gateway/],
  ])('answered %s is refused', async (_case, status, body, code, message) => {
    const url = await listen(answer(status, body));
    const request = createRequester({ url }).request(RenewLeaseDocument, variables);
    await expect(request).rejects.toMatchObject({ name: 'RequestRefused', code, message: expect.stringMatching(message) });
  });

  test('that is answered with a 5xx, cut off, late or never accepted may be tried again', async () => {
    const down = await listen(answer(503, 'restarting'));
    const cut = await listen((request) => request.socket.destroy());
    const late = await listen(() => {});
    for (const url of [down, cut, late, 'http://127.0.0.1:1']) {
      const request = createRequester({ url }).request(RenewLeaseDocument, variables, { timeoutSeconds: 0.2 });
      await expect(request).rejects.toBeInstanceOf(GatewayUnreachable);
    }
  });

  const tooFast = (retryAfterMs: number) => ({
    errors: [{ message: 'Too fast.', extensions: { code: 'LIMIT_EXCEEDED', limit: 'keyRate', allowed: 1, asked: 1, retryAfterMs } }],
  });

  test('that exceeded the rate is sent again at the time that the gateway gave, and not before', async () => {
    const at: number[] = [];
    const url = await listen((request, response) => {
      at.push(performance.now());
      if (at.length < 3) answer(429, tooFast(200))(request, response);
      else answer(200, { data: { renewLease: { __typename: 'RenewLeasePayload' } } })(request, response);
    });
    expect(await createRequester({ url }).request(RenewLeaseDocument, variables)).toEqual({
      renewLease: { __typename: 'RenewLeasePayload' },
    });
    for (const [i, time] of at.slice(1).entries()) expect(time - (at[i] ?? 0)).toBeGreaterThanOrEqual(199);
    expect(at).toHaveLength(3);
  });

  test('that exceeded the rate and has no time to wait throws the time of the next try', async () => {
    const url = await listen(answer(429, tooFast(60_000)));
    const request = createRequester({ url }).request(RenewLeaseDocument, variables, { timeoutSeconds: 5 });
    await expect(request).rejects.toMatchObject({ name: 'RequestRefused', code: 'LIMIT_EXCEEDED', retryAfterMs: 60_000 });
  });

  test('that exceeded the rate of a proxy waits as its header says', async () => {
    let requests = 0;
    const url = await listen((request, response) => {
      requests += 1;
      response.setHeader('retry-after', '0');
      answer(requests === 1 ? 429 : 200, requests === 1 ? '<html>' : { data: { renewLease: null } })(request, response);
    });
    expect(await createRequester({ url }).request(RenewLeaseDocument, variables)).toEqual({ renewLease: null });
  });

  test("that its caller aborts rejects with the caller's reason", async () => {
    const url = await listen(() => {});
    const stop = new AbortController();
    const request = createRequester({ url }).request(RenewLeaseDocument, variables, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(request).rejects.toThrow('enough');
  });
});
