/** The content type of a file by its name, where nobody said one. */
const byExtension: ReadonlyMap<string, string> = new Map([
  ['csv', 'text/csv'],
  ['gz', 'application/gzip'],
  ['jpeg', 'image/jpeg'],
  ['jpg', 'image/jpeg'],
  ['json', 'application/json'],
  ['jsonl', 'application/x-ndjson'],
  ['log', 'text/plain'],
  ['md', 'text/markdown'],
  ['pdf', 'application/pdf'],
  ['png', 'image/png'],
  ['tar', 'application/x-tar'],
  ['txt', 'text/plain'],
  ['yaml', 'application/yaml'],
  ['yml', 'application/yaml'],
  ['zip', 'application/zip'],
]);

export function contentTypeOf(filename: string): string {
  return byExtension.get(filename.split('.').at(-1)?.toLowerCase() ?? '') ?? 'application/octet-stream';
}
