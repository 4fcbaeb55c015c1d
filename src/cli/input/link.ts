import { UsageError } from '../io.ts';

/** A gateway's address, and the secret in the fragment of a link to it. */
export interface Link {
  readonly url: string;
  readonly secret: string | null;
}

/**
 * Reads `https://host/prefix/#NAME=SECRET`, or an address without a secret. What comes after # is
 * sent to no server, and is in no log.
 * @throws UsageError if it is no address of http or https.
 */
export function parseLink(text: string, name: 'key' | 'join'): Link {
  const url = URL.canParse(text) ? new URL(text) : null;
  // Not the text: it may have a secret in it.
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError('The address of a gateway must look like http://127.0.0.1:4000.');
  if (url.username !== '' || url.password !== '') throw new UsageError('The address of a gateway has no user and password.');
  const secret = new URLSearchParams(url.hash.slice(1)).get(name);
  // The link to GraphiQL has a key as well.
  const path = url.pathname.replace(/\/(graphql)?\/*$/, '').replace(/\/+$/, '');
  return { url: `${url.origin}${path}`, secret: secret === null || secret === '' ? null : secret };
}
