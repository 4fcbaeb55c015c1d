/** The behaviour of every file store, wherever it keeps the files. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, test } from 'vitest';
import { copyFiles } from '../../../src/store/files/copy.ts';
import { DiskFiles } from '../../../src/store/files/disk.ts';
import {
  type FileKey,
  FileMissing,
  type FileStore,
  RemovedMeanwhile,
  type SharedFile,
  TooManyBytes,
} from '../../../src/store/files/file-store.ts';
import { createFolder } from '../../support/folders.ts';

export interface FilesUnderTest {
  readonly files: FileStore;
  /** The same files, opened by another process. */
  reopen(): FileStore;
}

const id = 'frag_00000000000000000000000000';
const other = 'frag_00000000000000000000000001';
const text = 'first, second, third';
const [LONG_AGO, LATER] = [new Date('2000-01-01T00:00:00Z'), new Date('2100-01-01T00:00:00Z')];

const keyOf = (content: string, of = id): FileKey => ({ id: of, sha256: createHash('sha256').update(content).digest('hex') });
const read = async (files: FileStore, key: FileKey) => (await buffer(files.read(key))).toString();

async function store(files: FileStore, content: string, of = id): Promise<FileKey> {
  const received = await files.receive(of, [Buffer.from(content)], 1_000);
  await received.keep();
  return { id: of, sha256: received.file.sha256 };
}

/** Bytes whose last part comes on command. */
function pausedBytes() {
  const [arrived, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* bytes() {
    yield Buffer.from(text.slice(0, 7));
    arrived.resolve();
    await letGo.promise;
    yield Buffer.from(text.slice(7));
  }
  return { bytes: bytes(), arrived: arrived.promise, letGo: letGo.resolve };
}

/** The text of a file, read in another thread. */
async function readInThread(file: SharedFile): Promise<string> {
  const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), { workerData: file });
  const [content]: string[] = await once(worker, 'message');
  return content ?? '';
}

export function describeFileStore(name: string, create: () => FilesUnderTest): void {
  describe(`Files in ${name}`, () => {
    let files: FileStore;
    let reopen: () => FileStore;
    beforeEach(() => {
      ({ files, reopen } = create());
    });

    test('a file is as it was sent, for this process and others, once it is kept', async () => {
      const { bytes, letGo } = pausedBytes();
      letGo();
      const received = await files.receive(id, bytes, text.length);
      expect(received.file).toEqual({ sizeBytes: text.length, sha256: keyOf(text).sha256 });
      await expect(read(files, keyOf(text))).rejects.toThrow(FileMissing);
      await received.keep();
      for (const one of [files, reopen()]) expect(await read(one, keyOf(text))).toBe(text);
    });

    test('an empty file is a file', async () => {
      const key = await store(files, '');
      expect(await read(files, key)).toBe('');
      expect(await readInThread(files.share(key))).toBe('');
    });

    test('a range of a file ends with the file', async () => {
      const key = await store(files, text);
      const range = async (start: number, end: number) => (await buffer(files.read(key, { start, end }))).toString();
      expect(await range(7, 12)).toBe('second');
      expect(await range(15, 1_000)).toBe('third');
    });

    test('an open file is read at any position, and to its end', async () => {
      const file = await files.open(await store(files, text));
      expect((await file.read(15, 5)).toString()).toBe('third');
      expect((await file.read(0, 5)).toString()).toBe('first');
      expect((await file.read(15, 1_000)).toString()).toBe('third');
      expect(await file.read(1_000, 5)).toHaveLength(0);
      await file.close();
    });

    test('a shared file is read by another thread', async () => {
      expect(await readInThread(files.share(await store(files, text)))).toBe(text);
    });

    test('a file that is not there is missing, whichever way it is read', async () => {
      const key = keyOf('nothing');
      await expect(read(files, key)).rejects.toThrow(FileMissing);
      await expect(files.open(key)).rejects.toThrow(FileMissing);
      expect(await readInThread(files.share(key))).toBe('FileMissing');
    });

    test('more bytes than are allowed are refused, and leave nothing', async () => {
      await expect(files.receive(id, [Buffer.from(text)], text.length - 1)).rejects.toThrow(TooManyBytes);
      await expect(read(files, keyOf(text))).rejects.toThrow(FileMissing);
    });

    test('bytes that break off leave nothing, and say why', async () => {
      async function* broken() {
        yield Buffer.from(text);
        throw new Error('It broke.');
      }
      await expect(files.receive(id, broken(), 1_000)).rejects.toThrow('It broke.');
      await expect(read(files, keyOf(text))).rejects.toThrow(FileMissing);
    });

    test('what is dropped is not there, and what was kept before it is dropped is', async () => {
      const received = await files.receive(id, [Buffer.from(text)], 1_000);
      await received.drop();
      await expect(received.keep()).rejects.toThrow(RemovedMeanwhile);
      await expect(read(files, keyOf(text))).rejects.toThrow(FileMissing);
      const again = await files.receive(id, [Buffer.from(text)], 1_000);
      await again.keep();
      await again.drop();
      expect(await read(files, keyOf(text))).toBe(text);
    });

    test('two uploads of one fragment do not mix, and either is removed without the other', async () => {
      const one = pausedBytes();
      const receiving = files.receive(id, one.bytes, 1_000);
      await one.arrived;
      const short = await store(files, 'another');
      one.letGo();
      await (await receiving).keep();
      expect(await read(files, short)).toBe('another');
      await files.removeFile(short);
      await expect(read(files, short)).rejects.toThrow(FileMissing);
      expect(await read(files, keyOf(text))).toBe(text);
    });

    test('a fragment is removed with all of its files, and no other fragment’s', async () => {
      const keys = [await store(files, text), await store(files, 'another')];
      const kept = await store(files, text, other);
      await files.remove(id);
      for (const key of keys) await expect(files.open(key)).rejects.toThrow(FileMissing);
      expect(await read(files, kept)).toBe(text);
      await files.remove(id);
    });

    test('a fragment that is removed while its bytes come does not come back', async () => {
      const { bytes, arrived, letGo } = pausedBytes();
      const receiving = files.receive(id, bytes, 1_000);
      await arrived;
      await files.remove(id);
      letGo();
      await expect((await receiving).keep()).rejects.toThrow(RemovedMeanwhile);
      await expect(read(files, keyOf(text))).rejects.toThrow(FileMissing);
    });

    test('a sweep takes what uploads of other processes left, when nothing was written to it for long', async () => {
      const broken = await reopen().receive(id, [Buffer.from(text)], 1_000);
      await files.sweep(LONG_AGO);
      await broken.keep();
      expect(await read(files, keyOf(text))).toBe(text);
      for (const before of [LATER, null]) {
        const left = await reopen().receive(id, [Buffer.from('left')], 1_000);
        await files.sweep(before);
        await expect(left.keep()).rejects.toThrow(RemovedMeanwhile);
      }
      expect(await read(files, keyOf(text))).toBe(text);
    });

    test('a sweep leaves the uploads of its own process, coming or received', async () => {
      const { bytes, arrived, letGo } = pausedBytes();
      const receiving = files.receive(id, bytes, 1_000);
      await arrived;
      await files.sweep(null);
      letGo();
      const received = await receiving;
      await files.sweep(null);
      await received.keep();
      expect(await read(files, keyOf(text))).toBe(text);
    });

    test.each([true, false])(
      'files are copied to a folder and back, and those that are missing are told (isLinked: %s)',
      async (isLinked) => {
        const options = { isLinked, signal: new AbortController().signal };
        const keys = [await store(files, text), await store(files, 'another', other)];
        const folder = new DiskFiles(createFolder('copied'));
        const missing = keyOf('nothing');
        expect(await copyFiles(files, folder, [...keys, missing], options)).toEqual([missing]);
        await files.remove(id);
        expect(await copyFiles(folder, files, keys, options)).toEqual([]);
        for (const one of [files, folder]) expect(await Promise.all(keys.map((key) => read(one, key)))).toEqual([text, 'another']);
      },
    );
  });
}
