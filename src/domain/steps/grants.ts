/**
 * Grants: short texts that let whoever has one into one attempt of a step, for one purpose. A grant
 * is signed with the secret of the store, so nothing is stored. It ends with its key, with the
 * attempt, and at its own end.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { keyById } from '../../store/queries/keys.ts';
import { stepById } from '../../store/queries/rows.ts';
import type { StepRow } from '../../store/schema/tables.ts';
import { principalOf, stateOfKey } from '../access/keys.ts';
import type { Principal } from '../access/principal.ts';
import { type Action, may, sees } from '../access/rights.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep } from '../core/lifecycle.ts';

/** What a grant is for. */
export type Purpose =
  | { readonly kind: 'HTTP' }
  | { readonly kind: 'EXEC'; readonly command: readonly string[] }
  | { readonly kind: 'FORWARD'; readonly port: number };

export const rightOfPurpose = { HTTP: 'openHttp', EXEC: 'enterSteps', FORWARD: 'enterSteps' } as const satisfies Record<
  Purpose['kind'],
  Action
>;

/**
 * How long each is valid. A page is loaded again as long as it is open; a program starts its
 * command at once, and connects to a forwarded port now and then.
 */
const secondsOf = { HTTP: 12 * 3_600, EXEC: 60, FORWARD: 600 } as const satisfies Record<Purpose['kind'], number>;

interface Content {
  readonly id: string;
  readonly keyId: string;
  readonly stepId: string;
  readonly attempt: number;
  /** In seconds since 1970. */
  readonly end: number;
  readonly purpose: Purpose;
}

/** A valid grant. */
export interface Grant {
  readonly id: string;
  readonly purpose: Purpose;
  /** Whose key it comes from. */
  readonly principal: Principal;
  /** Its attempt runs. */
  readonly step: StepRow;
}

export interface SignedGrant {
  readonly token: string;
  readonly expiresAt: Date;
}

/** `id`: no other grant may have it. `keyId`: the key of the caller. */
export function signGrant(
  domain: Domain,
  ids: { readonly id: string; readonly keyId: string },
  step: StepRow,
  purpose: Purpose,
): SignedGrant {
  const end = Math.floor(domain.clock.now().getTime() / 1_000) + secondsOf[purpose.kind];
  const content: Content = { ...ids, stepId: step.id, attempt: step.attemptCount, end, purpose };
  const text = Buffer.from(JSON.stringify(content)).toString('base64url');
  return { token: `${text}.${sign(domain, text).toString('base64url')}`, expiresAt: new Date(end * 1_000) };
}

/** Null if it is not ours, or it, its key or its attempt has ended. */
export async function readGrant(domain: Domain, token: string): Promise<Grant | null> {
  const [, text, signature] = /^([\w-]{1,200000})\.([\w-]{43})$/.exec(token) ?? [];
  if (text === undefined || signature === undefined) return null;
  if (!timingSafeEqual(Buffer.from(signature, 'base64url'), sign(domain, text))) return null;
  const content = JSON.parse(Buffer.from(text, 'base64url').toString()) as Content; // signed, so it is as signGrant made it
  const now = domain.clock.now();
  if (content.end * 1_000 <= now.getTime()) return null;
  const [key] = await domain.store.read.run(keyById, { id: content.keyId });
  if (!key || stateOfKey(key, now) !== 'LIVE') return null;
  const [step] = await domain.store.read.run(stepById, { id: content.stepId });
  if (!step || !isHeldStep(step.status) || step.attemptCount !== content.attempt) return null;
  const principal = principalOf(key);
  if (!sees(principal, step) || !may(principal, rightOfPurpose[content.purpose.kind])) return null;
  return { id: content.id, purpose: content.purpose, principal, step };
}

const sign = ({ store }: Domain, text: string): Buffer => createHmac('sha256', store.secret).update(`GRANT ${text}`).digest();
