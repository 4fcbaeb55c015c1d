/** Where a port of a container is reached from its device. */
import { hostname } from 'node:os';
import { askEngine } from '../machine/engine.ts';
import { findContainerFamily } from '../machine/telemetry.ts';
import { findListener, type PortAddress, showsListeners } from '../process/listening.ts';

export interface ContainerNetwork {
  readonly name: string;
  /** Whether it shares the network of its device, or has its own. */
  readonly network: 'HOST' | 'OWN';
  /** The port where it serves HTTP, if it does. */
  readonly httpPort: number | null;
}

/** The address of its HTTP server for others. `isPrivate`: for this device alone. */
export async function findHttpUrl({ name, network, httpPort }: ContainerNetwork, isPrivate: boolean): Promise<string | null> {
  if (httpPort === null) return null;
  if (network === 'HOST') return `http://${hostname()}:${httpPort}`;
  const published = await findPublished(name, httpPort);
  return published === null ? null : `http://${isPrivate ? '127.0.0.1' : hostname()}:${published}`;
}

/** See RunningStep. In a network of its own, every port is the container's. */
export async function findContainerPort({ name, network, httpPort }: ContainerNetwork, port: number): Promise<PortAddress | null> {
  if (network === 'HOST') return findOnHost(name, port, httpPort);
  const published = port === httpPort ? await findPublished(name, port) : null;
  if (published !== null) return { host: '127.0.0.1', port: published };
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}';
  const addresses = await askEngine(['inspect', '--format', format, name], 10).catch(() => '');
  const [host = ''] = addresses.trim().split(' ');
  return host === '' ? null : { host, port };
}

async function findOnHost(name: string, port: number, httpPort: number | null): Promise<PortAddress | null> {
  const family = showsListeners ? await findContainerFamily(name) : null;
  // Its processes run elsewhere, so nothing tells whose port it is. Its own declaration has to do.
  if (!family) return port === httpPort ? { host: '127.0.0.1', port } : null;
  const processes = await family.list();
  return findListener(
    processes.map(({ pid }) => pid),
    port,
  );
}

/** The host port that the engine chose. */
async function findPublished(name: string, port: number): Promise<number | null> {
  const answer = await askEngine(['port', name, `${port}/tcp`], 10).catch(() => '');
  const published = /:(\d+)$/m.exec(answer)?.[1];
  return published === undefined ? null : Number(published);
}
