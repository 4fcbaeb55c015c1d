/** Runs the `docker` program, the only way to the engine. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * What the program gets of the agent's environment: where its engine, settings and logins are, and
 * what it needs to run and to reach a registry. An allowlist, because an agent's environment holds
 * secrets that nobody thought of. Nothing of a step is added: variables like LD_PRELOAD or
 * GIT_SSH_COMMAND make this machine's programs run what they name.
 */
const passed = [
  /^(PATH|HOME|USER|LOGNAME|LANG|TZ|TMPDIR)$/,
  /^LC_/,
  /^XDG_(RUNTIME_DIR|CONFIG_HOME)$/,
  /^DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS|TLS_VERIFY|API_VERSION|BUILDKIT|DEFAULT_PLATFORM|CONTENT_TRUST|CONTENT_TRUST_SERVER)$/,
  /^(BUILDX_CONFIG|BUILDX_BUILDER|BUILDKIT_HOST)$/,
  // For Podman in place of docker.
  /^(CONTAINER_HOST|CONTAINER_SSHKEY|CONTAINERS_CONF|CONTAINERS_STORAGE_CONF|CONTAINERS_REGISTRIES_CONF|REGISTRY_AUTH_FILE)$/,
  // For an engine reached by ssh, and registries behind a proxy or with their own certificates.
  /^SSH_AUTH_SOCK$/,
  /^(https?|all|no)_proxy$/i,
  /^SSL_CERT_(FILE|DIR)$/,
];

export function engineEnvironment(own: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const entries = Object.entries(own).filter(([name]) => passed.some((pattern) => pattern.test(name)));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** What the program prints for these arguments. Rejects when it fails or takes longer. */
export async function askEngine(args: readonly string[], timeoutSeconds: number): Promise<string> {
  // SIGKILL, because a hanging program may ignore other signals.
  const options = { timeout: timeoutSeconds * 1000, killSignal: 'SIGKILL', env: engineEnvironment() } as const;
  return (await run('docker', args, options)).stdout;
}

/** A busy machine may take long, and a slow engine is not away. */
const ANSWER_SECONDS = 30;

/** Whether an engine answers on this machine. */
export async function hasEngine(): Promise<boolean> {
  const version = await askEngine(['version', '--format', '{{.Server.Version}}'], ANSWER_SECONDS).catch(() => '');
  return version.trim() !== '';
}
