/**
 * The keys that a gateway creates for its operator: an admin key on the first start, and a key for
 * each start's link.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { audit, madeWith } from '../domain/access/audit.ts';
import { keyFields, subjectOf } from '../domain/access/key-changes.ts';
import { acceptAdminKey } from '../domain/access/key-rotation.ts';
import { addKey, authenticate } from '../domain/access/keys.ts';
import { change } from '../domain/core/change.ts';
import type { Domain } from '../domain/core/domain.ts';
import { firstProject } from '../domain/jobs/projects.ts';
import { anyAdminKey } from '../store/queries/keys.ts';

const FILE = 'credentials.json';
/** How long a start's link is valid: about as long as someone keeps a browser tab. */
const LINK_DAYS = 7;

export interface OperatorKey {
  readonly secret: string;
  /** Whether it was just created, and has to be shown once. */
  readonly isNew: boolean;
}

/**
 * The key from the environment, or a new one if the store has no admin key. Null if the store has
 * one and the environment names none.
 */
export async function operatorKey(domain: Domain, chosen: string | null): Promise<OperatorKey | null> {
  if (chosen !== null) {
    await acceptAdminKey(domain, chosen);
    return { secret: chosen, isNew: false };
  }
  const [known] = await domain.store.read.run(anyAdminKey, { now: domain.clock.now() });
  return known ? null : { secret: await makeAdminKey(domain, 'operator', null), isNew: true };
}

/**
 * The local user's key, in a file in the data folder that only this user can read. A new one is
 * created when the file or its key is gone. The file also names the default project of commands:
 * the one of the first start, however many there are later.
 */
export async function localKey(domain: Domain, dataDir: string, url: string, given: OperatorKey | null): Promise<string> {
  const left = readKept(dataDir);
  const kept = given?.secret ?? left.token;
  const projectId = left.projectId ?? (await firstProject(domain));
  const principal = kept === null ? null : await authenticate(domain, `Bearer ${kept}`);
  const token = kept !== null && principal?.role === 'ADMIN' ? kept : await makeAdminKey(domain, 'local', null);
  const path = join(dataDir, FILE);
  writeFileSync(`${path}.new`, `${JSON.stringify({ url, token, projectId })}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return token;
}

/** A key for the link that a start prints: the admin key itself is shown only once. */
export const linkKey = (domain: Domain): Promise<string> => makeAdminKey(domain, 'link of a start', LINK_DAYS);

function makeAdminKey(domain: Domain, name: string, days: number | null): Promise<string> {
  return change(domain, null, async (change) => {
    const expiresAt = days === null ? null : new Date(change.now.getTime() + days * 86_400_000);
    const { apiKey, secret } = await addKey(change, { name, kind: 'USER', role: 'ADMIN', expiresAt });
    await audit(change, 'KEY_CREATED', subjectOf(apiKey), madeWith(apiKey, keyFields));
    return secret;
  });
}

function readKept(dataDir: string): { readonly token: string | null; readonly projectId: string | null } {
  try {
    const { token, projectId } = JSON.parse(readFileSync(join(dataDir, FILE), 'utf8'));
    return { token: typeof token === 'string' ? token : null, projectId: typeof projectId === 'string' ? projectId : null };
  } catch {
    return { token: null, projectId: null };
  }
}
