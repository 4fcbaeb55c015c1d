import { IsolationError } from '../agent/process/isolation.ts';
import { InvalidInput } from '../domain/core/refusals.ts';
import { ManifestUnusable } from '../server/documents/manifest.ts';
import { StoreUnusable } from '../store/store.ts';

/** What kept a gateway from starting, in one line for the operator. */
export function explainStart(error: unknown): string {
  if (error instanceof StoreUnusable || error instanceof IsolationError || error instanceof ManifestUnusable) return error.message;
  if (error instanceof InvalidInput) return error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('\n');
  const { code, address, port, path } = error as { code?: string; address?: string; port?: number; path?: string }; // Node's system errors
  if (code === 'EADDRINUSE')
    return `${address}:${port} is taken: another program listens there. Choose another port with --port, or 0 for any.`;
  if (code === 'EADDRNOTAVAIL') return `${address} is no address of this machine; choose another with --host.`;
  if (code === 'EACCES' && port !== undefined) return `Port ${port} may not be listened on by this user.`;
  if (path !== undefined && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS'))
    return `The data folder ${path} cannot be written to (${code}).`;
  if (path !== undefined && (code === 'ENOTDIR' || code === 'EEXIST' || code === 'ENOENT'))
    return `The data folder ${path} cannot be made (${code}).`;
  if (code?.startsWith('SQLITE_')) return `The database cannot be used: ${error instanceof Error ? error.message : code}.`;
  return `Trainyard could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
