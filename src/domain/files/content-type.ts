import { lookup } from 'mime-types';

/** What mime-types does not know, or knows by an older name than RFC 9512's. */
const others: Readonly<Record<string, string>> = {
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  yaml: 'application/yaml',
  yml: 'application/yaml',
};

/** The content type of a file by its name, where nobody said one. */
export function contentTypeOf(filename: string): string {
  const extension = filename.split('.').at(-1)?.toLowerCase() ?? '';
  return others[extension] ?? (lookup(filename) || 'application/octet-stream');
}
