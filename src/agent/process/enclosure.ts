import { readFileSync } from 'node:fs';
import { sendSignal } from './processes.ts';

/** A program and its arguments. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

/** What holds the processes of one step together, beyond what the list of processes tells of them. */
export interface Enclosure {
  /** Makes it ready for what is started inside. */
  open(): Promise<void>;
  /** The command line that starts a command inside. */
  enclose(command: CommandLine): CommandLine;
  /**
   * How many processes stand between the agent and the command and outlive it: what `enclose` starts, and its child, and so on. Where there is one, it tells on its
   * file descriptor 3 how the command has ended: `E` and an exit code, or `S` and the number of a signal.
   */
  readonly keepers: number;
  /** The processes that are certainly inside. */
  list(): Promise<ReadonlySet<number>>;
  /** SIGKILL for all inside, faster than they can start more where there is a way. `pid`: what `enclose` has started; null when it is gone. */
  kill(pid: number | null): Promise<void>;
  /** How many of those inside the kernel has killed because memory ran out; null where it is not counted. */
  countMemoryKills?(): Promise<number | null>;
  /** Gives back what it uses, when all inside have ended. */
  close(): Promise<void>;
}

/** The number of prctl(2), by the name that Node has for the processor. */
const prctlNumbers: Readonly<Record<string, number>> = { x64: 157, arm64: 167 };

/**
 * A process that adopts what the step leaves: whoever loses its parent becomes its child (PR_SET_CHILD_SUBREAPER), whatever session, group or
 * environment it has made for itself. Node cannot ask the kernel for this; Perl can, and is a part of most systems.
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

  async list(): Promise<ReadonlySet<number>> {
    return new Set();
  }

  /** Without a pause between looking and killing, because a process may fork and end faster than any pause. */
  async kill(pid: number | null): Promise<void> {
    if (pid === null) return;
    const until = performance.now() + 100;
    for (let children = childrenOf(pid); children.length > 0 && performance.now() < until; children = childrenOf(pid)) {
      for (const child of children) sendSignal(child, 'SIGKILL');
    }
  }

  async close(): Promise<void> {}
}

/** The children of a process, those that have ended and were not waited for included. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The command is in a process group of its own, so that a signal to that does not reach its keeper. */
const subreaperScript = `
my $prctl = shift @ARGV;
syscall($prctl + 0, 36, 1, 0, 0, 0) == 0 or exit 125;
$SIG{$_} = "IGNORE" for qw(TERM INT HUP);
open(my $tell, ">&=", 3) or exit 125;
my $command = fork();
exit 125 unless defined $command;
if ($command == 0) {
  close $tell;
  setpgrp(0, 0);
  $SIG{$_} = "DEFAULT" for qw(TERM INT HUP);
  exec { $ARGV[0] } @ARGV;
  exit 127;
}
open(STDOUT, ">", "/dev/null");
open(STDERR, ">", "/dev/null");
while ((my $pid = waitpid(-1, 0)) > 0) {
  next if $pid != $command;
  syswrite($tell, $? & 127 ? "S " . ($? & 127) . "\\n" : "E " . ($? >> 8) . "\\n");
}
`;
