import { lookup } from 'mime-types';

/** Extensions that mime-types does not know, or knows by an older name than that of RFC 9512. */
const others: ReadonlyMap<string, string> = new Map([
  ['jsonl', 'application/x-ndjson'],
  ['ndjson', 'application/x-ndjson'],
  ['yaml', 'application/yaml'],
  ['yml', 'application/yaml'],
]);

/** The content type of a file by its name, if the client gave none. */
export function contentTypeOf(filename: string): string {
  const extension = filename.split('.').at(-1)?.toLowerCase() ?? '';
  return others.get(extension) ?? (lookup(filename) || 'application/octet-stream');
}
