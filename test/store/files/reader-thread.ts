/**
 * A thread that reads a file shared by another thread, and posts its text or the name of the error.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openShared } from '../../../src/store/files/file-store.ts';

try {
  const file = await openShared(workerData);
  const bytes = Buffer.alloc(file.sizeBytes + 1);
  const count = file.read(0, bytes);
  file.close();
  parentPort?.postMessage(bytes.subarray(0, count).toString());
} catch (error) {
  parentPort?.postMessage(error instanceof Error ? error.constructor.name : String(error));
}
