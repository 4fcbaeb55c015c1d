/**
 * What of a request a step gets, and what of a step's answer a client gets.
 *
 * A step is a stranger's program on the gateway's own host. Nothing that proves who the client is
 * reaches it, and nothing that it answers may act on the rest of the host.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { StepPath } from './path.ts';

/** Headers of one connection (RFC 9110, 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/**
 * Besides these, a step gets all headers. `referer` would have the token of a link. `expect` is
 * answered here.
 */
const KEPT_FROM_STEP: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'authorization',
  'proxy-authorization',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'origin',
  'referer',
  'x-real-ip',
  'x-trainyard-session',
]);

/**
 * Besides these, a client gets the headers that begin with `x-`. A list of what may pass, because
 * others act on the whole host: Clear-Site-Data, Strict-Transport-Security, Alt-Svc, NEL,
 * WWW-Authenticate, Service-Worker-Allowed, and whatever browsers will learn.
 */
const PASSED_TO_CLIENT: ReadonlySet<string> = new Set([
  'accept-ranges',
  'age',
  'allow',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'content-security-policy',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'pragma',
  'refresh',
  'retry-after',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'server',
  'server-timing',
  'set-cookie',
  'vary',
  'warning',
]);

/** The gateway's own, or those of CORS, which would be a step's word about the gateway's host. */
const KEPT_FROM_CLIENT: ReadonlySet<string> = new Set(['x-request-id', 'x-dns-prefetch-control']);

/**
 * A page of a step has no origin: it may run scripts, but to the browser it is nobody's. So it
 * cannot read what belongs to the gateway's pages, and what it asks is not asked by one of them.
 */
const SANDBOX = 'sandbox allow-downloads allow-forms allow-modals allow-popups allow-presentation allow-scripts';

/** The names of a step's cookies begin with this in the browser, so no other cookie reaches it. */
const COOKIE = 'trainyard-step-';
const MOST_COOKIES = 20;
const MOST_COOKIE_CHARACTERS = 4_096;

/** The headers of a request to a step. */
export function headersForStep(request: IncomingMessage, { prefix }: StepPath, port: number): OutgoingHttpHeaders {
  const { headers } = request;
  const named = listOf(headers.connection);
  const kept = Object.entries(headers).filter(
    ([name]) => !KEPT_FROM_STEP.has(name) && !named.includes(name) && !name.startsWith('x-forwarded-'),
  );
  const cookies = cookiesForStep(headers.cookie);
  const host = `localhost:${port}`;
  return {
    ...Object.fromEntries(kept),
    host,
    // Programs compare it with the host. Whoever knows the path, or has a key, is none of theirs.
    ...(headers.origin !== undefined && { origin: `http://${host}` }),
    ...(cookies !== '' && { cookie: cookies }),
    'x-forwarded-for': request.socket.remoteAddress ?? '',
    'x-forwarded-host': headers.host ?? '',
    'x-forwarded-proto': headers['x-forwarded-proto'] === 'https' ? 'https' : 'http',
    'x-forwarded-prefix': prefix,
  };
}

/** The headers of a step's answer to a client. */
export function headersForClient(headers: IncomingHttpHeaders, { prefix }: StepPath, port: number): OutgoingHttpHeaders {
  const named = listOf(headers.connection);
  const passed = Object.entries(headers).filter(
    ([name]) => (PASSED_TO_CLIENT.has(name) || (name.startsWith('x-') && !KEPT_FROM_CLIENT.has(name))) && !named.includes(name),
  );
  const { location, 'set-cookie': cookies = [], 'content-security-policy': policy } = headers;
  return {
    ...Object.fromEntries(passed),
    ...(location !== undefined && { location: placeLocation(location, prefix, port) }),
    'set-cookie': cookies.slice(0, MOST_COOKIES).flatMap((cookie) => placeCookie(cookie, prefix)),
    // A list of policies, of which each counts.
    'content-security-policy': policy === undefined ? SANDBOX : `${policy}, ${SANDBOX}`,
    // The address of a page may have the token of a link.
    'referrer-policy': 'no-referrer',
  };
}

const listOf = (header: string | undefined): string[] => (header ?? '').split(',').map((name) => name.trim().toLowerCase());

function cookiesForStep(header = ''): string {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .flatMap((pair) => (pair.startsWith(COOKIE) ? [pair.slice(COOKIE.length)] : []))
    .join('; ');
}

/** A cookie is for the step's own paths, and cannot be taken for another of the host. */
function placeCookie(cookie: string, prefix: string): string[] {
  const [pair = '', ...attributes] = cookie.split(';').map((part) => part.trim());
  const [name = ''] = pair.split('=', 1);
  if (cookie.length > MOST_COOKIE_CHARACTERS || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return [];
  const kept = attributes.filter((attribute) => !/^(domain|path)\s*(=|$)/i.test(attribute));
  return [[`${COOKIE}${pair}`, ...kept, `Path=${prefix}/`].join('; ')];
}

/** What the step takes for its own root is behind the prefix. A location elsewhere stays. */
function placeLocation(location: string, prefix: string, port: number): string {
  if (/^\/(?![/\\])/.test(location)) return prefix + location;
  const url = URL.parse(location);
  const isOwn = url?.protocol === 'http:' && url.port === String(port) && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  return isOwn ? `${prefix}${url.pathname}${url.search}${url.hash}` : location;
}
