import { encodeCursor } from '../../domain/core/cursors.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import { readLogTail } from '../../store/queries/logs.ts';
import { readRange } from '../../store/queries/ranges.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { readLogChunks } from '../../store/queries/streams.ts';
import type { LogChunkRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { LogStream } from '../core/enums.ts';
import { StreamFrame } from '../core/frames.ts';
import { Step } from '../core/nouns.ts';
import { missedText, pageOf, type StreamPage, streamArgs } from '../core/pages.ts';
import { A_FRAME, IN_ITS_PAGE, type Size } from '../core/sizes.ts';
import { watchedJob } from '../jobs/jobs.ts';

const MOST_TAIL_LINES = 10_000;
/** As much as a page can show, and small enough to hold in memory. */
const MOST_TAIL_CHARACTERS = 1_048_576;
/** A hundred lines of usual length, about 8 KB, count as one node, as in the text of a fragment. */
const TAIL: Size = { by: ['lines'], usually: 100, perNode: 100, isPage: false };

const LogChunk = builder.objectRef<LogChunkRow>('LogChunk').implement({
  description: 'A piece of the log as it was written. It can begin or end within a line.',
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description: "Its position in the job's log. Pass it as `after` to continue from here.",
      resolve: ({ jobId, seq }, _, { domain }) => encodeCursor(domain, { kind: 'log', jobId, seq }),
    }),
    stepNumber: t.exposeInt('stepNumber', { description: 'The number of the step that wrote it.' }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt at that step.' }),
    offset: t.expose('offset', { type: 'ByteCount', description: "Its offset in this attempt's log, in bytes (UTF-8)." }),
    stream: t.expose('stream', { type: LogStream, description: 'Its source.' }),
    text: t.exposeString('text', { budget: true, description: 'The text, including line breaks.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was written.' }),
  }),
});

const LogPage = builder.objectRef<StreamPage<LogChunkRow>>('LogPage').implement({
  description: 'A range of a log.',
  fields: (t) => ({
    chunks: t.expose('rows', { type: [LogChunk], size: IN_ITS_PAGE, description: 'The pieces, in the order in which they were written.' }),
    endCursor: t.expose('endCursor', {
      type: 'Cursor',
      nullable: true,
      description: 'Pass it as `after` to continue, here or in the subscription `log`. Null: the log is empty.',
    }),
    hasMore: t.exposeBoolean('hasMore', { description: 'Whether more entries are stored after this page.' }),
    missed: t.exposeInt('missed', { description: missedText }),
  }),
});

builder.objectFields(Step, (t) => ({
  log: t.field({
    type: LogPage,
    description: 'Its log over all attempts, oldest first. The offset of a chunk includes text that retention has deleted.',
    args: streamArgs,
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: ({ jobId, number: stepNumber }, args, context) => {
      const { read } = context;
      return pageOf(context, { kind: 'log', jobId }, args, (after, portion) =>
        readRange(read, { kind: 'log', jobId }, after, () => readLogChunks(read, { jobId, stepNumber, after }, portion)),
      );
    },
  }),
  logTail: t.string({
    size: TAIL,
    budget: true,
    description: `The last lines of its log as one text, at most ${MOST_TAIL_CHARACTERS} characters. A line shows its final state: text before a \`\\r\` is overwritten. Empty when nothing was written.`,
    args: {
      lines: t.arg.int({ required: true, defaultValue: 100, description: `The number of lines: 1 to ${MOST_TAIL_LINES}.` }),
    },
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: ({ jobId, number }, { lines }, { read, budget }) => {
      if (lines < 1 || lines > MOST_TAIL_LINES) {
        throw badRequest.outOfRange('lines', 1, MOST_TAIL_LINES, lines);
      }
      return readLogTail(read, {
        ...{ jobId, stepNumber: number, lines, mostCharacters: MOST_TAIL_CHARACTERS },
        hold: (bytes) => budget.hold(bytes),
      });
    },
  }),
}));

const LogFrame = builder.objectRef<Frame<LogChunkRow>>('LogFrame').implement({
  description: 'New pieces of the log, in the order in which they were written.',
  interfaces: [StreamFrame],
  fields: (t) => ({ chunks: t.expose('rows', { type: [LogChunk], size: A_FRAME, description: 'The new entries. May be empty.' }) }),
});

builder.subscriptionField('log', (t) =>
  t.field({
    type: LogFrame,
    description: 'The log of one job or one of its steps: the stored pieces, then each new one. The stream ends after the job has ended.',
    args: {
      jobId: t.arg.id({ required: true, description: 'The job to watch.' }),
      stepNumber: t.arg.int({ description: 'Only the log of the step with this number. Default: all steps.' }),
      after: t.arg({ type: 'Cursor', description: 'Continue after this cursor. Default: from the beginning.' }),
    },
    subscribe: async (_, { jobId, stepNumber, after }, context) => {
      const job = await watchedJob(context, jobId);
      const of = { kind: 'log', jobId: job.id, after } as const;
      return jobStream(context.domain, context.wakeups, stepNumber == null ? of : { ...of, stepNumber });
    },
    resolve: (frame) => frame,
  }),
);
