import type { IncomingMessage } from 'node:http';
import { prefersPage } from '../http/accept.ts';
import { readTarget } from '../http/target.ts';

/** Everything comes from the gateway. Only styles may be inline: the editor sets them. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/**
 * Whether a browser opens the address. A request with a key and a query string is a client's,
 * whatever it accepts.
 */
export function wantsPage({ headers, url }: IncomingMessage): boolean {
  return prefersPage(headers.accept) && (headers.authorization === undefined || readTarget(url).search === '');
}

/** The page needs no key. Its requests do. */
export async function renderPage(): Promise<string> {
  const { PAGE } = await import('./assets.ts');
  return PAGE;
}

export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-cache',
} as const;
