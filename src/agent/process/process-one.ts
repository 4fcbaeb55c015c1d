/**
 * A container's only program runs as process 1. Processes that lose their parent become its
 * children. It has to wait for them, or they stay as zombies. Node does not wait for processes that
 * it did not start. Perl can, and most systems have it.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/**
 * Starts the same program again and turns into a small init that waits for all children, forwards
 * signals and ends with the program. Then it does not return. Without Perl it returns and does
 * nothing. Call it before the environment is read: the new program takes it, and process 1 keeps
 * none of it.
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

/** The terminal sends Ctrl-C to the program itself. */
const initScript = `
my $program = shift @ARGV;
for my $signal ("TERM", "USR2", -t STDIN ? () : ("INT", "HUP", "QUIT")) { $SIG{$signal} = sub { kill $signal, $program } }
while ((my $pid = waitpid(-1, 0)) > 0) {
  exit($? & 127 ? 128 + ($? & 127) : $? >> 8) if $pid == $program;
}
`;
