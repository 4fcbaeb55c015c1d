import { unwrap } from '../../client/errors.ts';
import { CancelJobDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { exitCodes, print, printJson } from '../io.ts';
import { cleanName } from '../terminal.ts';

export const cancel: Command = {
  name: 'cancel',
  summary: 'Cancels a job: at once if no device holds a step of it, else when its devices let go.',
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    reason: { value: 'TEXT', description: 'the reason, for the history of the job' },
    'timeout-seconds': {
      value: 'N',
      description: 'time that devices have to let go before the job counts as cancelled',
      defaultText: '30',
      field: 'cancelTimeoutSeconds',
    },
    ...jsonFlag,
  },

  async run({ io, client, given, args, isJson }) {
    const cancelTimeoutSeconds = given.number('timeout-seconds');
    const input = {
      jobId: args[0] ?? '',
      reason: given.text('reason'),
      ...(cancelTimeoutSeconds !== undefined && { cancelTimeoutSeconds }),
    };
    const { cancelJob } = await client.request(CancelJobDocument, { input }, { signal: io.signal });
    const { job } = unwrap(cancelJob);
    if (isJson) await printJson(io, job);
    else await print(io.stdout, `${job.id} (${cleanName(job.name)}) is ${job.status}\n`);
    return exitCodes.succeeded;
  },
};
