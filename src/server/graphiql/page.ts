import type { IncomingMessage } from 'node:http';
import { prefersPage } from '../http/accept.ts';
import { readTarget } from '../http/target.ts';

/** Scripts and workers from here alone, nothing inline but styles (the editor sets them), nothing framed, nothing sent elsewhere. */
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

/** A browser that opens the address, not a client that asks for data: one that brings a key and a question, whatever it takes. */
export function wantsPage({ headers, url }: IncomingMessage): boolean {
  return prefersPage(headers.accept) && (headers.authorization === undefined || readTarget(url).search === '');
}

/** The page needs no key, but its requests do. */
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
