/**
 * ## graphql-sse
 *
 * The default mode: one connection for each operation ("distinct connections"). Retries work as
 * described above. Both clients are used in the same way, so the functions above work here too.
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
