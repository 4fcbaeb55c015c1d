/**
 * Removes secrets from what a process was started with: its environment and command line. The
 * system shows these to every program of the same user while the process lives (/proc/PID/environ,
 * /proc/PID/cmdline; the command line to everyone). A step runs as its agent's user, below the
 * agent and the gateway. So this is done before anything else.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags whose value is a key or may contain a password. */
const secretFlags = /^--(?:token|database-url)(?:=(.*))?$/s;

/**
 * Takes the settings: returns the original environment and removes every TRAINYARD_ variable from
 * `process.env`, which child processes inherit. On Linux, the system does not show them for this
 * process any more either.
 */
export function takeEnvironment(argv: readonly string[]): Environment {
  const environment = { ...process.env };
  for (const [name, value] of Object.entries(environment)) {
    // Setting it again stores it elsewhere. The original is overwritten below.
    delete process.env[name];
    if (!name.startsWith('TRAINYARD_')) process.env[name] = value;
  }
  if (process.platform === 'linux') overwrite(secretsIn(argv));
  return environment;
}

/** The secrets on a command line. */
export function secretsIn(argv: readonly string[]): string[] {
  return argv.flatMap((word, i) => {
    const [isSecret, value = argv[i + 1]] = secretFlags.exec(word) ?? [];
    return isSecret && value ? [value] : [];
  });
}

/** Overwrites the whole original environment, and these words of the command line. */
function overwrite(words: readonly string[]): void {
  try {
    const [argStart = 0, argEnd = 0, envStart = 0, envEnd = 0] = statusOf('self').slice(45, 49).map(Number);
    const memory = openSync('/proc/self/mem', 'r+');
    try {
      writeSync(memory, Buffer.alloc(envEnd - envStart), 0, envEnd - envStart, envStart);
      const args = Buffer.alloc(argEnd - argStart);
      readSync(memory, args, 0, args.length, argStart);
      for (const word of words.map((text) => Buffer.from(text))) {
        for (let at = args.indexOf(word); at >= 0; at = args.indexOf(word, at + 1))
          writeSync(memory, Buffer.alloc(word.length, '*'), 0, word.length, argStart + at);
      }
    } finally {
      closeSync(memory);
    }
  } catch {
    // The system does not let a process write to itself. What stays readable is reported by
    // describeExposed.
  }
}

/**
 * The fields of /proc/PID/stat from the third on, counted as in proc(5): the second may contain
 * anything.
 */
function statusOf(pid: number | 'self'): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The parent of a process. 0 if it has none or none that is visible. */
export function parentOf(pid: number): number {
  try {
    return Number(statusOf(pid)[1]);
  } catch {
    return 0;
  }
}

/**
 * This process and its ancestors that show one of these secrets to the user's other programs: an
 * npm, a shell or a supervisor that got it in its environment and passed it on. Each by pid and
 * name. Empty where the system has no such view.
 */
function findExposed(secrets: readonly string[]): string[] {
  const found: string[] = [];
  for (let pid = process.pid; pid > 0 && secrets.length > 0; pid = parentOf(pid)) {
    const shown = `${read(`/proc/${pid}/environ`)}\0${read(`/proc/${pid}/cmdline`)}`;
    if (secrets.some((secret) => shown.includes(secret))) found.push(`${pid} (${read(`/proc/${pid}/comm`).trim()})`);
  }
  return found;
}

/** A warning about them. Undefined if there are none. */
export function describeExposed(secrets: readonly (string | null | undefined)[], remedy: string): string | undefined {
  const found = findExposed(secrets.filter((secret): secret is string => (secret ?? '') !== ''));
  if (found.length === 0) return undefined;
  return `Steps that run as this user can read a secret in the environment or command line of process ${found.join(', process ')}. ${remedy}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
