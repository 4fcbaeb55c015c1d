/**
 * ## Documents by their hash, and trusted documents
 *
 * A client may send the SHA-256 of a document instead of its text, with GET, POST or over a
 * WebSocket. A gateway that does not know the hash answers `PersistedQueryNotFound`. The client
 * then sends document and hash once, and from then on only the hash. These are Apollo's automatic
 * persisted queries. They need no configuration at the gateway. Each gateway remembers the most
 * recent documents.
 *
 * For a front end in production, start the gateway with `--documents FILE`: it executes only the
 * documents of that file, of agents, the command line and the Python package, however they are
 * sent. GraphiQL and introspection are off. Agents must have the gateway's version. The file is
 * written by the client's own tools:
 *
 * - Apollo: `generate-persisted-query-manifest` of @apollo/generate-persisted-query-manifest.
 * - Relay: `"persistConfig": {"file": "documents.json"}` in the settings of relay-compiler.
 * - urql and others: `persistedDocuments` of graphql-codegen's client preset.
 *
 * Send the id of a document as `extensions.persistedQuery.sha256Hash`, or as `documentId` or
 * `doc_id` next to the variables, over a WebSocket too. An id may have the prefix `sha256:`. If the
 * text is sent as well, it must be the document of that id. Ids that differ are refused.
 *
 * The gateway does not start when FILE cannot be used: a document that is invalid, one id for two
 * documents, an id of the gateway's own. An empty `--documents` or `TRAINYARD_DOCUMENTS` is refused
 * too, so that a forgotten variable does not open the gateway.
 */
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { getOperationAST } from 'graphql';
import type { FetchFunction, GraphQLResponse } from 'relay-runtime';
import type { Gateway } from './documents.ts';

const sha256 = async (text: string): Promise<string> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toHex();

/** What @apollo/generate-persisted-query-manifest writes. */
export interface ApolloManifest {
  readonly operations: readonly { readonly id: string; readonly name: string }[];
}

/** Apollo Client, by hashes; with a manifest, by its ids. */
export function connectApollo({ url, key }: Gateway, manifest?: ApolloManifest): ApolloClient {
  const ids = new Map(manifest?.operations.map(({ name, id }) => [name, id]));
  const persisted = new PersistedQueryLink(
    manifest ? { generateHash: async (document) => ids.get(getOperationAST(document)?.name?.value ?? '') ?? '' } : { sha256 },
  );
  const http = new HttpLink({ uri: `${url}/graphql`, headers: { authorization: `Bearer ${key}` } });
  return new ApolloClient({ link: persisted.concat(http), cache: new InMemoryCache() });
}

/** urql, by hashes. `isTrusted`: the gateway knows every hash, so the text is never sent. */
export function connectUrql({ url, key }: Gateway, isTrusted = false): Client {
  return new Client({
    url: `${url}/graphql`,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${key}` } },
    exchanges: [
      persistedExchange({ enforcePersistedQueries: isTrusted, enableForMutation: true, preferGetForPersistedQueries: false }),
      fetchExchange,
    ],
  });
}

/**
 * Relay's network, by the ids that relay-compiler assigned with persistConfig: `text` is then null.
 */
export function fetchTrusted({ url, key }: Gateway): FetchFunction {
  return async ({ id, text }, variables) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(id ? { documentId: id, variables } : { query: text, variables }),
    });
    return response.json() as Promise<GraphQLResponse>; // the shape of a GraphQL response
  };
}
