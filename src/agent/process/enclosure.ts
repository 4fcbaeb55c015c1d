import { readFileSync } from 'node:fs';
import { sendSignal } from './processes.ts';

/** A program and its arguments. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

/** Holds the processes of one step together, beyond what the process list shows. */
export interface Enclosure {
  /** Prepares it for the command. */
  open(): Promise<void>;
  /** The command line that starts a command inside. */
  enclose(command: CommandLine): CommandLine;
  /**
   * How many processes stand between the agent and the command, and outlive it: the one that
   * `enclose` starts, its child, and so on. If there is one, it reports on its file descriptor 3
   * how the command ended: `E` and an exit code, or `S` and a signal number.
   */
  readonly keepers: number;
  /**
   * An enclosure within this one for another command of the step, with this unique name. `pid`: the
   * process that `enclose` started. What is inside ends with this one, and can be ended before.
   */
  within(name: string, pid: number): Enclosure;
  /** The processes that are certainly inside. */
  list(): Promise<ReadonlySet<number>>;
  /**
   * Sends SIGKILL to all inside, if possible faster than they can start others. `pid`: the process
   * that `enclose` started; null when it is gone.
   */
  kill(pid: number | null): Promise<void>;
  /** How many of them the kernel killed because memory ran out. Null if nothing counts that. */
  countMemoryKills?(): Promise<number | null>;
  /** Releases its resources, after all inside have ended. */
  close(): Promise<void>;
}

/** The system call number of prctl(2), by Node's name of the processor. */
const prctlNumbers: Readonly<Record<string, number>> = { x64: 157, arm64: 167 };

/**
 * A process that adopts what the step leaves: a process that loses its parent becomes its child
 * (PR_SET_CHILD_SUBREAPER), whatever session, group or environment it made for itself. Node cannot
 * make this system call. Perl can, and most systems have it.
 */
export class Subreaper implements Enclosure {
  readonly keepers = 1;

  static isPossible(): boolean {
    return process.platform === 'linux' && process.arch in prctlNumbers;
  }

  async open(): Promise<void> {}

  enclose({ file, args }: CommandLine): CommandLine {
    return { file: 'perl', args: ['-e', subreaperScript, String(prctlNumbers[process.arch]), file, ...args] };
  }

  /** Adopts for itself. The step ends it, because it knows the mark of its processes. */
  within(): Enclosure {
    return new Subreaper();
  }

  async list(): Promise<ReadonlySet<number>> {
    return new Set();
  }

  /**
   * Does not pause between looking and killing, because a process may fork and end faster than any
   * pause.
   */
  async kill(pid: number | null): Promise<void> {
    if (pid === null) return;
    const until = performance.now() + 100;
    for (let children = childrenOf(pid); children.length > 0 && performance.now() < until; children = childrenOf(pid)) {
      for (const child of children) sendSignal(child, 'SIGKILL');
    }
  }

  async close(): Promise<void> {}
}

/** The children of a process, including zombies. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The command has its own process group, so a signal to that group does not reach the keeper. */
const subreaperScript = `
my $prctl = shift @ARGV;
syscall($prctl + 0, 36, 1, 0, 0, 0) == 0 or exit 125;
$SIG{$_} = "IGNORE" for qw(TERM INT HUP);
open(my $report, ">&=", 3) or exit 125;
my $command = fork();
exit 125 unless defined $command;
if ($command == 0) {
  close $report;
  setpgrp(0, 0);
  $SIG{$_} = "DEFAULT" for qw(TERM INT HUP);
  exec { $ARGV[0] } @ARGV;
  exit 127;
}
open(STDOUT, ">", "/dev/null");
open(STDERR, ">", "/dev/null");
while ((my $pid = waitpid(-1, 0)) > 0) {
  next if $pid != $command;
  syswrite($report, $? & 127 ? "S " . ($? & 127) . "\\n" : "E " . ($? >> 8) . "\\n");
}
`;
