import { LogDocument } from '../client/generated.ts';
import { subscribe } from '../client/subscribe.ts';
import { type Command, jsonFlag } from './command.ts';
import { followFlags } from './follow.ts';
import { exitCodes, print } from './io.ts';
import { LogLines } from './loglines.ts';
import { cleanName } from './terminal.ts';

export const logs: Command = {
  name: 'logs',
  summary: "Prints a job's log, as far as it is written; with --follow also what is written from now on.",
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    step: { value: 'N', description: 'of this step only, by number', defaultText: 'of all steps' },
    follow: { description: 'stay until the job ends' },
    ...followFlags,
    ...jsonFlag,
  },
  notes:
    'With --json, each chunk is a line. On a terminal colours of the log are kept ($NO_COLOR strips them); other control sequences never are.',

  async run({ io, given, args, target, isJson }) {
    const lines = new LogLines(io.stdout.isTTY === true && !io.env.NO_COLOR);
    const variables = { jobId: args[0] ?? '', stepNumber: given.integer('step') };
    const stream = subscribe(target, LogDocument, variables, {
      signal: io.signal,
      giveUpAfterSeconds: given.number('patience-seconds') ?? 300,
      onState: (state, reason) => {
        if (state === 'reconnecting') io.stderr.write(`-- connection lost (${cleanName(reason ?? '')}), reconnecting --\n`);
      },
    });
    for await (const frame of stream) {
      if (frame.missed > 0) io.stderr.write(`-- ${frame.missed} entries of the job's log are past retention --\n`);
      const text = frame.chunks.map((chunk) => (isJson ? `${JSON.stringify(chunk)}\n` : lines.take(chunk))).join('');
      await print(io.stdout, text);
      // LIVE says that this is all there is so far.
      if (frame.state !== 'REPLAYING' && !given.has('follow')) break;
    }
    await print(io.stdout, lines.flush());
    return io.signal.aborted ? exitCodes.interrupted : exitCodes.succeeded;
  },
};
