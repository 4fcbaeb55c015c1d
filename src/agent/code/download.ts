import { RequestRefused } from '../../client/errors.ts';
import { FragmentDocument } from '../../client/generated.ts';
import { downloadFile } from '../../client/node/files.ts';
import type { Requester } from '../../client/request.ts';

/** Downloads a file of the gateway, however long the gateway is away. */
export function fetchFile(
  client: Requester,
  { id, downloadUrl }: { readonly id: string; readonly downloadUrl: string | null },
  { path, sha256, signal }: { path: string; sha256: string | null; signal: AbortSignal },
): Promise<void> {
  let url = downloadUrl;
  // A signed URL expires, so each try after the first requests another.
  const nextUrl = async () => {
    const known = url ?? (await client.request(FragmentDocument, { id }, { signal })).fragment?.downloadUrl;
    url = null;
    if (known) return known;
    throw new RequestRefused('NOT_FOUND', 'the file was deleted.');
  };
  return downloadFile(client.target, nextUrl, { path, sha256, signal, attempts: Number.POSITIVE_INFINITY });
}
