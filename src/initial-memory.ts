/**
 * What a process was started with: its environment and its command line, which the system shows to every program of the same user for as long as the
 * process lives (/proc/PID/environ, /proc/PID/cmdline; the command line to everyone). A step runs as its agent's user, below the agent and the gateway.
 * So whatever Trainyard was started with is taken out of there before anything else is done.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags whose value is a key or may hold a password. */
const secretFlags = /^--(?:token|database-url)(?:=(.*))?$/s;

/**
 * Takes the settings: answers the environment as it was, and leaves of it in `process.env`, which what is started inherits, nothing that begins with
 * TRAINYARD_. On Linux neither is found in what the system shows of this process from then on.
 */
export function takeEnvironment(argv: readonly string[]): Environment {
  const environment = { ...process.env };
  for (const [name, value] of Object.entries(environment)) {
    // Set anew, it lies elsewhere: what it was is overwritten below.
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

/** Overwrites the whole of the first environment, and these words of the command line. */
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
    // A system that does not let a process write to itself: whoever starts steps looks for what can be read, and says so.
  }
}

/** The fields of /proc/PID/stat from the third on, as proc(5) counts them: the second may hold anything. */
function statusOf(pid: number | 'self'): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The parent of a process; 0 where there is none, or none that can be seen. */
export function parentOf(pid: number): number {
  try {
    return Number(statusOf(pid)[1]);
  } catch {
    return 0;
  }
}

/**
 * This process and those above it in which the system shows one of these secrets to other programs of the user: an npm, a shell or a supervisor that
 * was given it in its environment, and handed it on. Each by its number and name; none where the system has no such view.
 */
function findExposed(secrets: readonly string[]): string[] {
  const found: string[] = [];
  for (let pid = process.pid; pid > 0 && secrets.length > 0; pid = parentOf(pid)) {
    const shown = `${read(`/proc/${pid}/environ`)}\0${read(`/proc/${pid}/cmdline`)}`;
    if (secrets.some((secret) => shown.includes(secret))) found.push(`${pid} (${read(`/proc/${pid}/comm`).trim()})`);
  }
  return found;
}

/** What to say of them; undefined where there is nothing to say. */
export function describeExposed(secrets: readonly (string | null | undefined)[], remedy: string): string | undefined {
  const found = findExposed(secrets.filter((secret): secret is string => (secret ?? '') !== ''));
  if (found.length === 0) return undefined;
  return `Steps that run as this user can read a secret in what process ${found.join(', process ')} was started with. ${remedy}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
