/**
 * Which process listens on a port of this machine. Processes share the machine's network, so
 * without this, a port of a step and a port of anything else on the machine look the same.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';

/** Where a port is reached. */
export interface PortAddress {
  readonly host: string;
  readonly port: number;
}

interface Listener {
  readonly host: string;
  readonly port: number;
  /** Identifies the socket, in all network namespaces. */
  readonly inode: string;
}

/** Whether this system tells which process listens on which port. */
export const showsListeners = process.platform === 'linux';

/**
 * Where one of these processes listens on the port, in the agent's own network. Null if none does:
 * a process that has made itself another network cannot be reached.
 */
export async function findListener(pids: readonly number[], port: number): Promise<PortAddress | null> {
  const [four, six] = await Promise.all(['tcp', 'tcp6'].map(readListeners));
  const onPort = [...(four ?? []), ...(six ?? [])].filter((each) => each.port === port);
  if (onPort.length === 0) return null;
  const wanted = new Set(onPort.map(({ inode }) => inode));
  const held = new Set((await Promise.all(pids.map((pid) => listSockets(pid, wanted)))).flat());
  const found = onPort.find(({ inode }) => held.has(inode));
  if (!found) return null;
  return {
    host: reachableHost(
      found.host,
      (four ?? []).some((each) => each.port === port),
    ),
    port,
  };
}

/**
 * A socket on all IPv6 addresses usually takes IPv4 as well. If another one has the port on IPv4,
 * that address would reach the other one.
 */
function reachableHost(host: string, isTakenOnFour: boolean): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host !== '::') return host;
  return isTakenOnFour ? '::1' : '127.0.0.1';
}

/** The sockets that listen, from /proc/net (proc(5)). */
async function readListeners(table: string): Promise<Listener[]> {
  const text = await readFile(`/proc/self/net/${table}`, 'latin1').catch(() => '');
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      if (state !== LISTEN || inode === '') return [];
      return [{ host: hostOf(address), port: Number.parseInt(port, 16), inode }];
    });
}

const LISTEN = '0A';

/** The kernel writes each 32 bits of an address in the byte order of the machine. */
function hostOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') for (let i = 0; i < bytes.length; i += 4) bytes.subarray(i, i + 4).reverse();
  if (bytes.length === 4) return [...bytes].join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
}

/** Those of the wanted sockets that the process has open. */
async function listSockets(pid: number, wanted: ReadonlySet<string>): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return links.flatMap((link) => {
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    return inode !== undefined && wanted.has(inode) ? [inode] : [];
  });
}
