/**
 * Signed URLs of fragments. Anyone who has one may do the action it names, on that fragment, until
 * it expires.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Domain } from '../core/domain.ts';

export type FileAction = 'PUT' | 'GET';

const sign = ({ store }: Domain, action: FileAction, id: string, expires: number): Buffer =>
  createHmac('sha256', store.secret).update(`${action} ${id} ${expires}`).digest();

export interface SignedUrl {
  /** Relative to the gateway's address. */
  readonly url: string;
  readonly expiresAt: Date;
}

export function signUrl(domain: Domain, action: FileAction, id: string): SignedUrl {
  const expires = Math.floor(domain.clock.now().getTime() / 1_000) + domain.limits.uploadSeconds;
  const signature = sign(domain, action, id, expires).toString('base64url');
  return { url: `/fragments/${id}?action=${action}&expires=${expires}&signature=${signature}`, expiresAt: new Date(expires * 1_000) };
}

/** Whether these URL parameters allow the action now. */
export function isSigned(domain: Domain, action: FileAction, id: string, query: URLSearchParams): boolean {
  const expires = Number(query.get('expires'));
  if (query.get('action') !== action || !Number.isSafeInteger(expires)) return false;
  const given = Buffer.from(query.get('signature') ?? '', 'base64url');
  const right = sign(domain, action, id, expires);
  return given.length === right.length && timingSafeEqual(given, right) && expires * 1_000 > domain.clock.now().getTime();
}
