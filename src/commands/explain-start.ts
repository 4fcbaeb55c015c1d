import { IsolationError } from '../agent/process/isolation.ts';
import { InvalidInput } from '../domain/core/refusals.ts';
import { ManifestUnusable } from '../server/documents/manifest.ts';
import { StoreUnusable } from '../store/store.ts';

/** Why a gateway did not start, in one line for the operator. */
export function explainStart(error: unknown): string {
  if (error instanceof StoreUnusable || error instanceof IsolationError || error instanceof ManifestUnusable) return error.message;
  if (error instanceof InvalidInput) return error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('\n');
  const { code, address, port, path } = error as { code?: string; address?: string; port?: number; path?: string }; // Node's system errors
  if (code === 'EADDRINUSE') return `${address}:${port} is in use by another program. Choose another port with --port, or 0 for any.`;
  if (code === 'EADDRNOTAVAIL') return `${address} is not an address of this machine. Choose another with --host.`;
  if (code === 'EACCES' && port !== undefined) return `This user may not listen on port ${port}. Choose another with --port.`;
  if (path !== undefined && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS'))
    return `The data folder ${path} cannot be written to (${code}).`;
  if (path !== undefined && (code === 'ENOTDIR' || code === 'EEXIST' || code === 'ENOENT'))
    return `The data folder ${path} cannot be created (${code}).`;
  if (code?.startsWith('SQLITE_')) return `The database cannot be used: ${error instanceof Error ? error.message : code}.`;
  return `Trainyard could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
