/**
 * A real container engine for tests: an existing one, or else Podman behind the docker program.
 * Podman is installed if this is root on Debian or a derivative. Only the packages and the image
 * remain afterwards.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { eventually } from '../agent/eventually.ts';
import { createFolder } from './folders.ts';
import { noteOf } from './run-folder.ts';

export interface Engine {
  /** A small image that contains only busybox. */
  readonly image: string;
  /** Whether it is a Podman that was started here. */
  readonly isOwn: boolean;
  /** Stops the engine, and later starts it again. Only for an own engine. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

const image = 'localhost/trainyard-tests:1';
const script = fileURLToPath(new URL('engine.sh', import.meta.url));

/**
 * Opens an engine for this process and its children, through their environment. Returns a text if
 * there is none.
 */
export async function openEngine(): Promise<Engine | string> {
  const own = isThere() ? null : prepareOwn();
  if (typeof own === 'string') return own;
  await own?.resume();
  if (!isThere()) return 'No container engine: Podman is installed, but does not answer as Docker.';
  const made = spawnSync(script, ['image', image], { encoding: 'utf8' });
  if (made.status !== 0) {
    await own?.pause();
    return `No container engine: the image for the tests could not be made. ${made.stderr}`;
  }
  const none = async () => {};
  const { pause, resume } = own ?? { pause: none, resume: none };
  return { image, isOwn: own !== null, pause, resume, close: pause };
}

/** Whether an engine answers the docker program as this process would call it. */
const isThere = () => {
  const { status, stdout } = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { encoding: 'utf8', timeout: 30_000 });
  return status === 0 && stdout.trim() !== '';
};

function prepareOwn(): Pick<Engine, 'pause' | 'resume'> | string {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version'))
    return 'No container engine: no docker answers, and only on Debian and its kin are the tests able to install one.';
  if (process.getuid?.() !== 0) return 'No container engine: no docker answers, and only root can install one.';
  const installed = spawnSync(script, ['install'], { encoding: 'utf8' });
  if (installed.status !== 0) return `No container engine: Podman could not be installed. ${installed.stderr}`;
  const folder = createFolder('engine');
  const socket = join(folder, 'socket');
  const config = join(folder, 'containers.conf');
  // crun refuses a machine with both versions of cgroups, and Podman's default limits exceed what
  // some machines allow.
  writeFileSync(
    config,
    `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
`,
  );
  Object.assign(process.env, { DOCKER_HOST: `unix://${socket}`, CONTAINERS_CONF: config });
  let service: ChildProcess | null = null;
  return {
    async resume() {
      service = spawn('podman', ['system', 'service', '--time=0', `unix://${socket}`], {
        // Podman's conmon leaves a file in its working directory.
        cwd: folder,
        stdio: 'ignore',
        detached: true,
      });
      if (service.pid !== undefined) writeFileSync(join(inject('runFolder'), noteOf(service.pid)), '');
      await eventually(() => {
        if (!existsSync(socket)) throw new Error('The engine has no socket yet.');
      });
    },
    async pause() {
      if (service === null) return;
      const ended = new Promise((resolve) => service?.once('exit', resolve));
      service.kill('SIGTERM');
      service = null;
      await ended;
    },
  };
}
