import { type Command, jsonFlag } from './command.ts';
import { followFlags, followJob } from './output/follow.ts';

export const watch: Command = {
  name: 'watch',
  summary: "Shows a job's status, steps, log and metrics live, from its beginning until it ends.",
  usage: 'JOB',
  argCount: [1, 1],
  flags: { ...followFlags, ...jsonFlag },
  notes: `The log goes to stdout and the rest to stderr. Lost connections are restored without gaps or repetition.
The exit code is the job's outcome: 0 SUCCEEDED, 1 FAILED, 3 CANCELLED. Others: 2 refused, 4 gateway unreachable, 130 Ctrl-C.`,
  run: (context) => followJob(context, context.args[0] ?? ''),
};
