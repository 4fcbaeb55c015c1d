import { readFileSync } from 'node:fs';

/** A list of trusted documents that cannot be used. The message says what is wrong with it, for its operator. */
export class ManifestUnusable extends Error {}

/**
 * Reads a list of trusted documents, in a form that a client's own tools write:
 *
 *     Apollo         generate-persisted-query-manifest: {"format": "apollo-persisted-query-manifest", "operations": [{"id", "body"}]}
 *     Relay          persistConfig.file of relay-compiler: {"id": "document"}
 *     urql, others   persistedDocuments of graphql-codegen's client preset, gql.tada: {"hash": "document"}
 *
 * Throws ManifestUnusable.
 */
export function readManifest(path: string): ReadonlyMap<string, string> {
  const documents = new Map(entriesOf(parse(path), path));
  if (documents.size === 0) throw new ManifestUnusable(`${path} has no documents.`);
  return documents;
}

function parse(path: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ManifestUnusable(`${path} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (value instanceof Object && !Array.isArray(value)) return value;
  throw new ManifestUnusable(`${path} must be a JSON object.`);
}

function entriesOf(manifest: object, path: string): (readonly [id: string, text: string])[] {
  if (!('operations' in manifest && Array.isArray(manifest.operations))) {
    return Object.entries(manifest).map(([id, text]) => {
      if (typeof text === 'string') return [id, text];
      throw new ManifestUnusable(`${path}: the document ${JSON.stringify(id)} must be a text.`);
    });
  }
  return manifest.operations.map((operation: unknown, i) => {
    if (operation instanceof Object && 'id' in operation && 'body' in operation) {
      const { id, body } = operation;
      if (typeof id === 'string' && typeof body === 'string') return [id, body];
    }
    throw new ManifestUnusable(`${path}: operations[${i}] must have an id and a body, each a text.`);
  });
}
