import { randomUUID } from 'node:crypto';
import { unwrap } from '../../client/errors.ts';
import { RetryJobDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { exitCodes, print, printJson } from '../io.ts';
import { followFlags, followJob } from '../output/follow.ts';

export const retry: Command = {
  name: 'retry',
  summary: 'Creates a new job with the input of one that has ended.',
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    'idempotency-key': { value: 'KEY', description: 'the same key returns the same new job', defaultText: 'a random one' },
    follow: { description: 'show the new job until it ends' },
    ...followFlags,
    ...jsonFlag,
  },

  async run(context) {
    const { io, client, given, args, isJson } = context;
    const input = { jobId: args[0] ?? '', idempotencyKey: given.text('idempotency-key') ?? randomUUID() };
    const { retryJob } = await client.request(RetryJobDocument, { input }, { signal: io.signal });
    const { job, token, isReplay } = unwrap(retryJob);
    if (given.has('follow')) return followJob(context, job.id);
    if (isJson) await printJson(io, { job, token, isReplay });
    else await print(io.stdout, `${job.id}\n`);
    return exitCodes.succeeded;
  },
};
