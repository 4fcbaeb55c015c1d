/**
 * Process 1, which a program that is started as the only one of a container is. Whatever loses its parent in there becomes a child of process 1, which has
 * to wait for it when it ends, or it stays as a zombie. Node waits for nothing that it has not started; Perl can, and is a part of most systems.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/**
 * Starts the same program anew, and becomes a small process that waits for all, hands signals on and ends with the program: then it does not return. It does
 * where there is no Perl. To be called before the environment is taken: the new program takes it, and nothing of it is left in process 1.
 */
export function becomeInit(): void {
  const perl = findPerl();
  if (perl === undefined || process.execve === undefined) return;
  const program = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' });
  if (program.pid !== undefined) process.execve(perl, ['perl', '-e', initScript, String(program.pid)], {});
}

function findPerl(): string | undefined {
  const paths = (process.env.PATH ?? '').split(':').map((folder) => join(folder, 'perl'));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Ctrl-C on a terminal reaches the program by itself. */
const initScript = `
my $program = shift @ARGV;
for my $signal ("TERM", "USR2", -t STDIN ? () : ("INT", "HUP", "QUIT")) { $SIG{$signal} = sub { kill $signal, $program } }
while ((my $pid = waitpid(-1, 0)) > 0) {
  exit($? & 127 ? 128 + ($? & 127) : $? >> 8) if $pid == $program;
}
`;
