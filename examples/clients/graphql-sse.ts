/**
 * ## graphql-sse
 *
 * In its default mode, one connection for each operation ("distinct connections"). What was said of retries above holds here as well, and
 * so do the functions: the two clients are used alike.
 */
import { type Client, createClient } from 'graphql-sse';
import type { Gateway } from './documents.ts';
import { patience } from './resume.ts';

export { cancelJob, findJob, followLog } from './graphql-ws.ts';

export const connect = ({ url, key }: Gateway): Client =>
  createClient({
    url: `${url}/graphql`,
    headers: { authorization: `Bearer ${key}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    retry: patience,
  });
