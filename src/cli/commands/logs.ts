import { LogDocument } from '../../client/generated.ts';
import { subscribe } from '../../client/node/subscribe.ts';
import { type Command, jsonFlag } from '../command.ts';
import { exitCodes, print, toJson } from '../io.ts';
import { findJob, followFlags } from '../output/follow.ts';
import { LogHeaders, LogLines } from '../output/loglines.ts';
import { cleanName } from '../terminal.ts';

export const logs: Command = {
  name: 'logs',
  summary: "Prints a job's log so far; with --follow also what is added later.",
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    step: { value: 'N', description: 'only this step, by number', defaultText: 'all steps' },
    follow: { description: 'go on until the job ends' },
    ...followFlags,
    ...jsonFlag,
  },
  notes: `A line that a progress bar overwrites is shown as last written. On a terminal the log keeps its colours ($NO_COLOR strips them);
other control sequences are always removed. With --json each chunk is a line with its unchanged text.
If the job has several steps, lines on stderr name the step whose log follows.`,

  async run(context) {
    const { io, given, args, target, isJson } = context;
    const [jobId = ''] = args;
    const job = await findJob(context, jobId);
    const lines = new LogLines(io.stdout.isTTY === true && !io.env.NO_COLOR);
    const headers = new LogHeaders(job.steps);
    const stream = subscribe(
      target,
      LogDocument,
      { jobId, stepNumber: given.integer('step') },
      {
        signal: io.signal,
        giveUpAfterSeconds: given.number('patience-seconds') ?? 300,
        onState: (_, reason) => {
          if (reason !== undefined) io.stderr.write(`-- connection lost (${cleanName(reason)}), reconnecting --\n`);
        },
      },
    );
    for await (const frame of stream) {
      if (frame.missed > 0) io.stderr.write(`-- ${frame.missed} entries of the job's log are past retention --\n`);
      for (const chunk of frame.chunks) {
        const header = isJson ? undefined : headers.before(chunk);
        if (header !== undefined) io.stderr.write(`${header}\n`);
        await print(io.stdout, isJson ? `${toJson(chunk)}\n` : lines.take(chunk));
      }
      // LIVE means that everything stored so far was delivered.
      if (frame.state !== 'REPLAYING' && !given.has('follow')) break;
    }
    await print(io.stdout, lines.flush());
    return io.signal.aborted ? exitCodes.interrupted : exitCodes.succeeded;
  },
};
