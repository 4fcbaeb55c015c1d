import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readManifest } from '../../src/server/documents/manifest.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('A file of trusted documents', () => {
  function write(content: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'documents-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'documents.json');
    writeFileSync(path, content);
    return path;
  }

  test.each([
    [
      'Apollo',
      {
        format: 'apollo-persisted-query-manifest',
        version: 1,
        operations: [{ id: 'a1', name: 'First', type: 'query', body: 'query First { hello }' }],
      },
    ],
    ['Relay, graphql-codegen and gql.tada', { a1: 'query First { hello }' }],
  ])('is read as the tools of %s write it', (_, content) => {
    expect(readManifest(write(JSON.stringify(content)))).toEqual(new Map([['a1', 'query First { hello }']]));
  });

  test('is read with a document of many escapes', () => {
    const text = '\n'.repeat(5_000_000);
    expect(readManifest(write(JSON.stringify({ a: text }))).get('a') === text).toBe(true);
  });

  test('is read with a byte order mark, escapes, and ids by any spelling of a hash', () => {
    const hash = sha256('{ hello }');
    const documents = { [`sha256:${hash.toUpperCase()}`]: '{ hello }', 'a"\\{': 'query { "\\" : , }', 'sha256:b': '' };
    expect(readManifest(write(`\ufeff${JSON.stringify(documents, null, 2)}`))).toEqual(
      new Map([
        [hash, '{ hello }'],
        ['a"\\{', 'query { "\\" : , }'],
        ['b', ''],
      ]),
    );
  });

  test.each([
    ['an object', '{"a": "{ me }", "a": "{ hello }"}'],
    ['an object, once with the prefix sha256:', '{"sha256:a": "{ me }", "a": "{ hello }"}'],
    ['operations', '{"operations": [{"id": "a", "body": "{ me }"}, {"id": "a", "body": "{ hello }"}]}'],
  ])('of %s that gives one id to two documents is refused and the id named; the same document may come twice', (_, content) => {
    const path = write(content);
    expect(() => readManifest(path)).toThrow(`${path} has two documents with the id "a".`);
    expect(readManifest(write(content.replaceAll('me', 'hello')))).toEqual(new Map([['a', '{ hello }']]));
  });

  test.each([
    ['no JSON', 'query { hello }', 'cannot be read as JSON'],
    ['a list', '[]', 'must be a JSON object'],
    ['empty', '{}', 'has no documents'],
    ['of other values', '{"a1": {"query": "{ hello }"}}', 'the document "a1" must be a text'],
    ['of operations without a body', '{"operations": [{"id": "a1"}]}', 'operations[0] must have an id and a body'],
  ])('that is %s is refused, and says so', (_, content, message) => {
    expect(() => readManifest(write(content))).toThrow(message);
  });

  test('that is not there is refused by its name', () => {
    expect(() => readManifest('/nowhere/documents.json')).toThrow('/nowhere/documents.json cannot be read');
  });
});
