/** Packs a folder of code into an archive, for the steps of a job. */
import { createHash } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { lstat, mkdtemp, open, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { pathKeyOf, problemOfPath } from '../../text/archive-paths.ts';
import { UsageError } from '../io.ts';
import { formatBytes } from '../output/format.ts';
import { cleanName } from '../terminal.ts';
import { type GitState, isInRepository, isRepository, listGitFiles, readGitState } from './git.ts';
import { type Ignores, readIgnoreFile } from './ignore.ts';
import { type TarEntry, tarEnd, tarHeader, tarPadding, tarSize } from './tar.ts';

const IGNORE_FILE = '.trainyardignore';
const LARGEST_SHOWN = 5;

/** A file of the folder, by its path there. */
interface FolderFile extends TarEntry {
  readonly source: string;
}

export interface PackedCode {
  /** The archive, in a temporary folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly fileCount: number;
  /** Null: the folder is in no repository, or in one without a commit. */
  readonly git: GitState | null;
  remove(): Promise<void>;
}

/**
 * Packs what git tracks or could add, and without a repository everything, in both cases without
 * what `.trainyardignore` leaves out.
 * @throws UsageError if there is no such folder, a file cannot travel, or they are too large.
 */
export async function packCode(folder: string, mostBytes: number, signal: AbortSignal): Promise<PackedCode> {
  const root = await realpath(resolve(folder)).catch(() => null);
  if (root === null || !(await lstat(root)).isDirectory()) throw new UsageError(`--code: there is no folder ${cleanName(folder)}.`);
  const inRepository = await isInRepository(root);
  const ignores = readIgnoreFile(await readFile(join(root, IGNORE_FILE), 'utf8').catch(() => ''));
  const paths = inRepository ? keptOf(await listGit(root), ignores) : await walk(root, '', ignores);
  const files: FolderFile[] = [];
  for (const path of paths.sort(Buffer.compare)) {
    signal.throwIfAborted();
    const file = await look(root, path);
    if (file !== null) files.push(file);
  }
  if (files.length === 0) throw new UsageError(`--code: ${cleanName(folder)} has no files to send: it is empty, or all are ignored.`);
  requireDistinct(files);
  const sizeBytes = tarSize(files);
  if (sizeBytes > mostBytes) throw tooLarge(folder, files, sizeBytes, mostBytes);
  const git = inRepository ? await readGitState(root) : null;
  const temporary = await mkdtemp(join(tmpdir(), 'trainyard-code-'));
  const remove = () => rm(temporary, { recursive: true, force: true });
  try {
    const path = join(temporary, 'code.tar');
    const sha256 = await write(path, files, signal);
    return { path, sizeBytes, sha256, fileCount: files.length, git, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What git lists. A repository within, such as a submodule, is listed by its folder alone. */
async function listGit(folder: string): Promise<Buffer[]> {
  const paths: Buffer[] = [];
  for (const path of await listGitFiles(folder)) {
    const inner = join(folder, textOf(path));
    const isFolder = path.at(-1) === SLASH || (await lstat(inner).catch(() => null))?.isDirectory() === true;
    if (!isFolder) paths.push(path);
    // The folder of a submodule that is not checked out is empty.
    else if (await isRepository(inner)) {
      const prefix = Buffer.from(textOf(path).replace(/\/*$/, '/'));
      paths.push(...(await listGit(inner)).map((name) => Buffer.concat([prefix, name])));
    }
  }
  return paths;
}
const SLASH = 0x2f;
const GIT = Buffer.from('.git');

function keptOf(paths: readonly Buffer[], ignores: Ignores): Buffer[] {
  return paths.filter((bytes) => {
    const names = bytes.toString('utf8').split('/');
    return !names.some((_, i) => ignores(names.slice(0, i + 1).join('/'), i < names.length - 1));
  });
}

async function walk(root: string, prefix: string, ignores: Ignores): Promise<Buffer[]> {
  // Names as bytes: a name that is not UTF-8 has to be told from the one that it is read as.
  const entries: Dirent<Buffer>[] = await readdir(join(root, prefix), { withFileTypes: true, encoding: 'buffer' });
  const paths: Buffer[] = [];
  for (const entry of entries) {
    const path = Buffer.concat([Buffer.from(prefix), entry.name]);
    const text = path.toString('utf8');
    if (entry.name.equals(GIT) || ignores(text, entry.isDirectory())) continue;
    if (entry.isDirectory()) paths.push(...(await walk(root, `${textOf(path)}/`, ignores)));
    else paths.push(path);
  }
  return paths;
}

function textOf(path: Buffer): string {
  const text = path.toString('utf8');
  if (!Buffer.from(text).equals(path)) throw refusal(text, 'has a name that is not UTF-8');
  return text;
}

const refusal = (path: string, problem: string): UsageError =>
  new UsageError(`--code: ${JSON.stringify(cleanName(path))} ${problem}. Leave it out with a line in ${IGNORE_FILE}, or in .gitignore.`);

/** Null for a file that git knows and that is deleted here. */
async function look(root: string, bytes: Buffer): Promise<FolderFile | null> {
  const path = textOf(bytes);
  const problem = problemOfPath(path);
  if (problem !== null) throw refusal(path, problem);
  let source = join(root, path);
  let stats = await lstat(source).catch(() => null);
  if (stats?.isSymbolicLink()) {
    const target = await realpath(source).catch(() => null);
    if (target === null) throw refusal(path, 'is a link to nothing');
    if (relative(root, target).split(sep)[0] === '..') throw refusal(path, 'is a link that leads out of the folder');
    source = target;
    stats = await lstat(target);
    // Its files would be sent twice, or for ever if it leads to a folder around it.
    if (stats.isDirectory()) throw refusal(path, 'is a link to a folder');
  }
  if (stats === null) return null;
  if (!stats.isFile()) throw refusal(path, 'is not a plain file');
  return { path, source, sizeBytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 };
}

function requireDistinct(files: readonly FolderFile[]): void {
  const seen = new Map<string, string>();
  for (const { path } of files) {
    const known = seen.get(pathKeyOf(path));
    if (known !== undefined) throw refusal(path, `differs from ${JSON.stringify(known)} only by case, which some devices cannot tell`);
    seen.set(pathKeyOf(path), path);
  }
}

function tooLarge(folder: string, files: readonly FolderFile[], sizeBytes: number, mostBytes: number): UsageError {
  const largest = files.toSorted((a, b) => b.sizeBytes - a.sizeBytes).slice(0, LARGEST_SHOWN);
  const lines = largest.map((file) => `  ${formatBytes(file.sizeBytes)}  ${cleanName(file.path)}`);
  return new UsageError(
    `--code: ${cleanName(folder)} has ${formatBytes(sizeBytes)} in ${files.length} files. The gateway takes ${formatBytes(mostBytes)}. ` +
      `Leave files out with ${IGNORE_FILE}; upload data with trainyard fragments put. The largest:\n${lines.join('\n')}`,
  );
}

/** Writes the archive. Returns its SHA-256. */
async function write(path: string, files: readonly FolderFile[], signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const archive = await open(path, 'wx', 0o600);
  try {
    const add = async (bytes: Buffer) => {
      hash.update(bytes);
      await archive.appendFile(bytes);
    };
    for (const file of files) {
      signal.throwIfAborted();
      await add(tarHeader(file));
      await copy(file, add);
      await add(tarPadding(file.sizeBytes));
    }
    await add(tarEnd);
  } finally {
    await archive.close();
  }
  return hash.digest('hex');
}

const CHUNK = 256 * 1024;

async function copy({ path, source, sizeBytes }: FolderFile, add: (bytes: Buffer) => Promise<void>): Promise<void> {
  const file = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    let left = sizeBytes;
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null);
      if (bytesRead > left || (bytesRead === 0 && left > 0))
        throw new UsageError(`--code: ${cleanName(path)} changed while it was read. Try again.`);
      if (bytesRead === 0) return;
      left -= bytesRead;
      await add(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
