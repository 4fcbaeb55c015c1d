/** Nothing that a step puts into its folder opens a file of its device (P16). */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Directory } from '../../../src/agent/files/directory.ts';
import { fragmentFiles } from '../../../src/agent/files/fragment-files.ts';
import { createFolder } from '../../support/folders.ts';

/** A step's folder, and beside it a secret of the device. */
async function openFolder(byDescriptor?: boolean) {
  const root = createFolder('directory');
  const [path, device] = [join(root, 'work'), join(root, 'device')];
  mkdirSync(path);
  mkdirSync(device);
  writeFileSync(join(device, 'key'), 'secret');
  const work = await Directory.open(path, byDescriptor);
  onTestFinished(() => work.close());
  return { path, device, work };
}

async function readIn(folder: Directory, name: string): Promise<string | null> {
  const handle = await folder.file(name);
  try {
    return handle && (await handle.readFile('utf8'));
  } finally {
    await handle?.close();
  }
}

async function listFragments(work: Directory, most?: number) {
  const notes: string[] = [];
  const files: string[] = [];
  for await (const { path, handle } of fragmentFiles(work, (line) => notes.push(line), most))
    files.push(`${path}: ${await handle.readFile('utf8')}`);
  return { files, notes };
}

const ways = process.platform === 'linux' ? [true, false] : [false];
describe.each(ways)('a folder of a step, opened by descriptor: %s', (byDescriptor) => {
  test('opens its plain files, and returns null for a name that does not exist', async () => {
    const { path, work } = await openFolder(byDescriptor);
    writeFileSync(join(path, 'a'), 'text');
    expect(await readIn(work, 'a')).toBe('text');
    expect(await work.file('b')).toBeNull();
    expect(await work.directory('b')).toBeNull();
  });

  test('follows no link to a file or a folder, and reads no hard link', async () => {
    const { path, device, work } = await openFolder(byDescriptor);
    symlinkSync(join(device, 'key'), join(path, 'link'));
    symlinkSync(device, join(path, 'folder'));
    linkSync(join(device, 'key'), join(path, 'hard'));
    await expect(work.file('link')).rejects.toThrow('is a symbolic link');
    await expect(work.directory('folder')).rejects.toThrow('is a symbolic link');
    await expect(work.file('hard')).rejects.toThrow('has other names');
  });

  test('does not block on a named pipe or a socket, and opens no device', async () => {
    const { path, work } = await openFolder(byDescriptor);
    execFileSync('mkfifo', [join(path, 'pipe')]);
    const server = createServer().listen(join(path, 'socket'));
    onTestFinished(() => void server.close());
    await expect(work.file('pipe')).rejects.toThrow('is a named pipe');
    await expect(work.directory('pipe')).rejects.toThrow('is a named pipe');
    await expect.poll(() => existsSync(join(path, 'socket'))).toBe(true);
    await expect(work.file('socket')).rejects.toThrow('is a socket');
    const devices = await Directory.open('/dev', byDescriptor);
    onTestFinished(() => devices.close());
    await expect(devices.file('zero')).rejects.toThrow('is a device');
  });

  test('takes names only and refuses paths', async () => {
    const { work } = await openFolder(byDescriptor);
    for (const name of ['..', '.', '', '../device/key', 'a/b']) await expect(work.file(name)).rejects.toThrow('Expected a name');
  });

  test('reads nothing from a folder that took its place', async () => {
    const { path, device, work } = await openFolder(byDescriptor);
    mkdirSync(join(path, 'inner'));
    const inner = await work.directory('inner');
    onTestFinished(() => inner?.close());
    renameSync(join(path, 'inner'), join(path, 'moved'));
    symlinkSync(device, join(path, 'inner'));
    expect(await inner?.file('key').catch(() => null)).toBeNull();
  });

  test('removes links and never their targets', async () => {
    const { path, device, work } = await openFolder(byDescriptor);
    mkdirSync(join(path, 'old'));
    symlinkSync(device, join(path, 'old', 'link'));
    linkSync(join(device, 'key'), join(path, 'old', 'hard'));
    symlinkSync(device, join(path, 'itself'));
    expect(await work.remove('old')).toBe(true);
    expect(await work.remove('itself')).toBe(true);
    expect(await work.remove('not there')).toBe(true);
    expect(readdirSync(path)).toEqual([]);
    expect(readFileSync(join(device, 'key'), 'utf8')).toBe('secret');
  });
});

describe.runIf(process.platform === 'linux')('removing what a step left', () => {
  test('removes folders nested deeper than the longest path', async () => {
    const { path, work } = await openFolder();
    const script = 'import os\nfor i in range(300):\n os.mkdir("d"*20); open("file","w").close(); os.chdir("d"*20)\n';
    mkdirSync(join(path, 'old'));
    try {
      execFileSync('python3', ['-c', script], { cwd: join(path, 'old') });
    } catch {
      // Without Python, uses a shell, which is slow at this.
      execFileSync('sh', ['-c', 'for i in $(seq 300); do mkdir dddddddddddddddddddd; cd -P dddddddddddddddddddd; done'], {
        cwd: join(path, 'old'),
      });
    }
    expect(await work.remove('old')).toBe(true);
    expect(readdirSync(path)).toEqual([]);
  });

  test('handles names that are not UTF-8, and folders that may not be entered', async () => {
    const { path, work } = await openFolder();
    mkdirSync(join(path, 'old'));
    execFileSync('sh', ['-c', `printf x > "$(printf 'a\\377b')"; mkdir locked; printf x > locked/file; chmod 0 locked`], {
      cwd: join(path, 'old'),
    });
    expect(await work.remove('old')).toBe(true);
    expect(readdirSync(path)).toEqual([]);
  });
});

describe('a fragments folder', () => {
  test('yields its files and those of its subfolders by name, and notes what is left out (P18)', async () => {
    const { path, device, work } = await openFolder();
    const folder = join(path, 'fragments');
    for (const name of ['plots', 'plots/deep', '.cache']) mkdirSync(join(folder, name), { recursive: true });
    for (const name of ['b', 'plots/loss.png', 'plots/deep/x', '.hidden']) writeFileSync(join(folder, name), name);
    symlinkSync(device, join(folder, 'everything'));
    symlinkSync('/etc/passwd', join(folder, 'plots', 'a\nb\u001b[31m'));
    const { files, notes } = await listFragments(work);
    expect(files).toEqual(['b: b', 'plots/deep/x: plots/deep/x', 'plots/loss.png: plots/loss.png']);
    expect(notes).toEqual([
      '"fragments/everything" is a symbolic link: it is not uploaded.',
      '"fragments/plots/a\uFFFDb\uFFFD[31m" is a symbolic link: it is not uploaded.',
      'Not uploaded, because their names start with a dot: ".cache", ".hidden".',
    ]);
  });

  test('yields nothing if it is gone, a link or a file, and notes that (P18)', async () => {
    const { path, device, work } = await openFolder();
    const folder = join(path, 'fragments');
    expect(await listFragments(work)).toEqual({ files: [], notes: ['The fragments folder is gone: nothing is uploaded.'] });
    symlinkSync(device, folder);
    expect((await listFragments(work)).notes).toEqual(['The fragments folder is a symbolic link: nothing is uploaded.']);
    rmSync(folder);
    writeFileSync(folder, '');
    expect((await listFragments(work)).notes).toEqual(['The fragments folder is a file: nothing is uploaded.']);
  });

  test('is read up to a limit of entries and levels', async () => {
    const { path, work } = await openFolder();
    let folder = join(path, 'fragments');
    for (let depth = 0; depth < 20; depth += 1) folder = join(folder, 'deeper');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'file'), '');
    expect((await listFragments(work)).notes[0]).toMatch(/is nested deeper than 16 folders: it is not uploaded/);
    const many = join(path, 'fragments', 'many');
    mkdirSync(many);
    for (let i = 0; i < 60; i += 1) writeFileSync(join(many, String(i)), '');
    const { files, notes } = await listFragments(work, 50);
    expect(files.length).toBeLessThanOrEqual(50);
    expect(notes.at(-1)).toBe('There are more than 50 entries in fragments: the rest is not uploaded.');
  });

  test('is read through the folder opened at the start, whatever stands in its place', async () => {
    const { path, device, work } = await openFolder();
    mkdirSync(join(path, 'fragments'));
    writeFileSync(join(path, 'fragments', 'own'), 'own');
    if (process.platform !== 'linux') return;
    renameSync(path, `${path}-moved`);
    mkdirSync(path);
    symlinkSync(device, join(path, 'fragments'));
    expect((await listFragments(work)).files).toEqual(['own: own']);
    truncateSync(join(`${path}-moved`, 'fragments', 'own'), 0);
  });
});
