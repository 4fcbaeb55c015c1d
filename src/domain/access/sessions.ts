/**
 * Sessions: what a browser holds instead of a key. A session is a key's id and an end, signed with
 * the secret of the store, so nothing is stored. It ends with its key, and after 12 hours at the
 * latest.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { keyById } from '../../store/queries/keys.ts';
import type { Domain } from '../core/domain.ts';
import { principalOf, stateOfKey } from './keys.ts';
import type { Principal } from './principal.ts';

const SESSION_SECONDS = 12 * 3_600;

export interface Session {
  readonly token: string;
  readonly seconds: number;
}

/** Opens a session of this key. */
export function openSession(domain: Domain, keyId: string): Session {
  const end = Math.floor(domain.clock.now().getTime() / 1_000) + SESSION_SECONDS;
  return { token: `${keyId}.${end}.${sign(domain, keyId, end).toString('base64url')}`, seconds: SESSION_SECONDS };
}

/** The principal of a session's token. Null if the token is not ours, or the session has ended. */
export async function resumeSession(domain: Domain, token: string): Promise<Principal | null> {
  const [, keyId, seconds, signature] = /^(key_[0-9a-z]{26})\.(\d{1,12})\.([\w-]{43})$/.exec(token) ?? [];
  if (keyId === undefined || seconds === undefined || signature === undefined) return null;
  const end = new Date(Number(seconds) * 1_000);
  const now = domain.clock.now();
  if (end <= now || !timingSafeEqual(Buffer.from(signature, 'base64url'), sign(domain, keyId, Number(seconds)))) return null;
  const [key] = await domain.store.read.run(keyById, { id: keyId });
  if (!key || stateOfKey(key, now) !== 'LIVE') return null;
  const principal = principalOf(key);
  return { ...principal, expiresAt: principal.expiresAt !== null && principal.expiresAt < end ? principal.expiresAt : end };
}

const sign = ({ store }: Domain, keyId: string, end: number): Buffer =>
  createHmac('sha256', store.secret).update(`SESSION ${keyId} ${end}`).digest();
