/**
 * Who is signed in, in this tab.
 *
 * The link that `npm start` prints, and a watch link, carry a key in the fragment of the URL. It is
 * exchanged once for a cookie that scripts cannot read, and taken out of the address. What this
 * page keeps is the id of the key, which names the cookie.
 */
import { signal } from '@preact/signals';

export interface Session {
  readonly keyId: string;
  /** The one job that a watch link shows. Null: the whole console. */
  readonly jobId: string | null;
}

export type SignIn =
  | { readonly state: 'opening' }
  | { readonly state: 'in'; readonly session: Session }
  /** `problem` says why, if there is more to it than that nobody signed in yet. */
  | { readonly state: 'out'; readonly problem: string | null };

export const signIn = signal<SignIn>({ state: 'opening' });

const KEPT = 'trainyard.session';
const keptFor = (jobId: string) => `${KEPT}.${jobId}`;
const keptAs = ({ jobId }: Session) => (jobId === null ? KEPT : keptFor(jobId));

/** Follows the address, and what other tabs do. Called once, when the page opens. */
export async function openPage(): Promise<void> {
  // A link with a key that is opened in this tab changes nothing but what is behind the #.
  addEventListener('hashchange', () => {
    if (location.hash.startsWith('#key=')) void readAddress();
  });
  // Another tab has signed out.
  addEventListener('storage', ({ key, newValue }) => {
    const { value } = signIn;
    if (value.state === 'in' && key === keptAs(value.session) && newValue === null) signIn.value = { state: 'out', problem: null };
  });
  await readAddress();
}

async function readAddress(): Promise<void> {
  const key = /^#key=(tyk_[\w-]+)/.exec(location.hash)?.[1];
  if (key !== undefined) {
    history.replaceState(null, '', location.pathname + location.search);
    await enter(key);
    return;
  }
  const session = findKept();
  signIn.value = session ? { state: 'in', session } : { state: 'out', problem: null };
}

/** Exchanges a key for a session. */
export async function enter(key: string): Promise<void> {
  try {
    const response = await fetch('/session', { method: 'POST', headers: { authorization: `Bearer ${key}` } });
    if (!response.ok) {
      leave(response.status === 401 ? 'This key is not valid, or it has ended.' : `The gateway answered ${response.status}.`);
      return;
    }
    // What sessionEndpoint of the server answers.
    const { keyId, kind, jobId }: { keyId: string; kind: string; jobId: string | null } = await response.json();
    const session = { keyId, jobId: kind === 'WATCH' ? jobId : null };
    localStorage.setItem(keptAs(session), keyId);
    signIn.value = { state: 'in', session };
  } catch {
    leave('The gateway cannot be reached.');
  }
}

/** Shows the sign-in page, without what was on the screen. */
export function leave(problem: string | null): void {
  const { value } = signIn;
  if (value.state === 'in') localStorage.removeItem(keptAs(value.session));
  signIn.value = { state: 'out', problem };
}

export async function signOut(): Promise<void> {
  const { value } = signIn;
  if (value.state === 'in') await fetch('/session', { method: 'DELETE', headers: sessionHeaders() }).catch(() => {});
  leave(null);
}

/** Names the session in a request, or in the first message of a socket. */
export function sessionHeaders(): Record<string, string> {
  const { value } = signIn;
  return value.state === 'in' ? { 'x-trainyard-session': value.session.keyId } : {};
}

/** The session of the whole console comes first: an operator who opens a shared link sees more. */
function findKept(): Session | null {
  const keyId = localStorage.getItem(KEPT);
  if (keyId !== null) return { keyId, jobId: null };
  const jobId = /^\/jobs\/(job_\w+)/.exec(location.pathname)?.[1];
  const watchId = jobId === undefined ? null : localStorage.getItem(keptFor(jobId));
  return jobId !== undefined && watchId !== null ? { keyId: watchId, jobId } : null;
}
