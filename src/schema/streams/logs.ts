import { decodeCursor, encodeCursor } from '../../domain/core/cursors.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { badRequest, gone } from '../../domain/core/request-refusals.ts';
import type { LogCounts } from '../../domain/core/vocabulary.ts';
import { nothingLogged } from '../../domain/logs/lines.ts';
import { numberLog } from '../../domain/logs/numbering.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import {
  firstLineOf,
  hasLog,
  LOG_END,
  logCountsOfSteps,
  numberBeforeLine,
  readLogBefore,
  readLogEnd,
  readLogTail,
  unnumberedAmong,
} from '../../store/queries/logs.ts';
import { readRange } from '../../store/queries/ranges.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { readLogChunks, streamBounds } from '../../store/queries/streams.ts';
import type { LogChunkRow } from '../../store/schema/tables.ts';
import type { Cut } from '../../store/statements/portions.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { LogStream } from '../core/enums.ts';
import { StreamFrame } from '../core/frames.ts';
import { defineLoader } from '../core/loaders.ts';
import { Step } from '../core/nouns.ts';
import { missedText, PAGE_BYTES, pageOf, type StreamPage, streamArgs } from '../core/pages.ts';
import { A_FRAME, IN_ITS_PAGE, type Size, STREAM_PAGE_SIZE } from '../core/sizes.ts';
import { watchedJob } from '../jobs/jobs.ts';

const MOST_END_LINES = 1_000;
const MOST_TAIL_LINES = 10_000;
/** As much as a page can show, and small enough to hold in memory. */
const MOST_TAIL_CHARACTERS = 1_048_576;
/** One node for each line, as for each entry of a page. */
const END: Size = { by: ['lines'], usually: 100, perNode: 1, isPage: false };
/** A hundred lines of usual length, about 8 KB, count as one node, as in the text of a fragment. */
const TAIL: Size = { by: ['lines'], usually: 100, perNode: 100, isPage: false };

/** The number of a line as an Int. Beyond the greatest one it stays the same. */
export const toInt = (lines: number): number => Math.min(lines, 2_147_483_647);

const cursorOf = (domain: Domain, { jobId, seq }: LogChunkRow) => encodeCursor(domain, { kind: 'log', jobId, seq });

/** Chunks of earlier versions have no line number until their log is counted. */
const lineOfChunk = defineLoader<LogChunkRow, number>(async ({ domain, read }, chunks) => {
  for (const jobId of new Set(chunks.map((chunk) => chunk.jobId))) await numberLog(domain, jobId);
  return Promise.all(
    chunks.map(async ({ jobId, seq, stepNumber }) => {
      const [row] = await read.run(firstLineOf, { jobId, seq });
      if (!row || row.firstLine === null) throw gone('log of step', String(stepNumber));
      return row.firstLine;
    }),
  );
});

const logCountsOf = defineLoader<Pick<ShownStep, 'id' | 'jobId'>, LogCounts>(async ({ domain, read }, steps) => {
  for (const jobId of await unnumberedAmong(read, [...new Set(steps.map((step) => step.jobId))])) await numberLog(domain, jobId);
  const ids = steps.map(({ id }) => id);
  const counts = new Map((await logCountsOfSteps(read, ids)).map(({ id, logCounts }) => [id, logCounts]));
  return ids.map((id) => counts.get(id) ?? nothingLogged);
});

const LogChunk = builder.objectRef<LogChunkRow>('LogChunk').implement({
  description: 'A piece of the log as it was written. It can begin or end within a line.',
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description: "Its position in the job's log. Pass it as `after` to continue from here.",
      resolve: (chunk, _, { domain }) => cursorOf(domain, chunk),
    }),
    stepNumber: t.exposeInt('stepNumber', { description: 'The number of the step that wrote it.' }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt at that step.' }),
    offset: t.expose('offset', { type: 'ByteCount', description: "Its offset in this attempt's log, in bytes (UTF-8)." }),
    firstLine: t.int({
      description: 'The number of the line that it begins in, from 1 within its attempt. Its first characters may continue that line.',
      resolve: async (chunk, _, context) => toInt(chunk.firstLine ?? (await lineOfChunk.load(context, chunk))),
    }),
    stream: t.expose('stream', { type: LogStream, description: 'Its source.' }),
    text: t.exposeString('text', { budget: true, description: 'The text, including line breaks.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was written.' }),
  }),
});

/** One page of a step's log. */
interface LogPageShape extends StreamPage<LogChunkRow> {
  hasPrevious(): Promise<boolean>;
}

const LogPage = builder.objectRef<LogPageShape>('LogPage').implement({
  description: 'A range of a log.',
  fields: (t) => ({
    chunks: t.expose('rows', { type: [LogChunk], size: IN_ITS_PAGE, description: 'The pieces, in the order in which they were written.' }),
    startCursor: t.field({
      type: 'Cursor',
      nullable: true,
      description: 'Pass it as `before` to read what precedes this page. Null: the page is empty.',
      resolve: ({ rows: [first] }, _, { domain }) => first && cursorOf(domain, first),
    }),
    endCursor: t.expose('endCursor', {
      type: 'Cursor',
      nullable: true,
      description: 'Pass it as `after` to continue, here or in the subscription `log`. Null: the log is empty.',
    }),
    hasMore: t.exposeBoolean('hasMore', { description: 'Whether more entries are stored after this page.' }),
    hasPrevious: t.boolean({
      description: 'Whether more entries are stored before this page.',
      resolve: (page) => page.hasPrevious(),
    }),
    missed: t.exposeInt('missed', { description: missedText }),
  }),
});

interface LogArgs {
  readonly after?: string | null | undefined;
  readonly first?: number | null | undefined;
  readonly before?: string | null | undefined;
  readonly last?: number | null | undefined;
}

async function pageAfter(context: Context, { jobId, number: stepNumber }: ShownStep, args: LogArgs): Promise<LogPageShape> {
  const { read } = context;
  let start = 0;
  const page = await pageOf(context, { kind: 'log', jobId }, args, (after, portion) => {
    start = after;
    return readRange(read, { kind: 'log', jobId }, after, () => readLogChunks(read, { jobId, stepNumber, after }, portion));
  });
  return { ...page, hasPrevious: async () => start > 0 && hasLog(read, { jobId, stepNumber }, { before: start + 1 }) };
}

async function pageBefore(context: Context, { jobId, number: stepNumber }: ShownStep, { before, last }: LogArgs): Promise<LogPageShape> {
  const { domain, read, budget } = context;
  const rows = last ?? STREAM_PAGE_SIZE;
  if (rows < 1) throw badRequest.tooSmall('last', 1, rows);
  const end = before == null ? null : await decodeCursor(domain, before, { kind: 'log', jobId }, 'before');
  const portion = { rows, bytes: PAGE_BYTES, hold: (bytes: number) => budget.hold(bytes) };
  const cut = await readLogBefore(read, { jobId, stepNumber, before: end ?? LOG_END }, portion);
  return backward(context, { jobId, stepNumber, end }, cut);
}

/** A page before `end`; null: the end of the log. The cut has more if more precedes the page. */
async function backward(
  { domain, read }: Context,
  { jobId, stepNumber, end }: { readonly jobId: string; readonly stepNumber: number; readonly end: number | null },
  { rows, hasMore: hasPrevious }: Cut<LogChunkRow>,
): Promise<LogPageShape> {
  // Read after the rows: an entry that is not there by now was removed.
  const [bounds] = hasPrevious ? [] : await read.run(streamBounds, { jobId, kind: 'log' });
  const missed = Math.max(0, Math.min(bounds?.first ?? 1, rows[0]?.seq ?? end ?? LOG_END) - 1);
  const seq = rows.at(-1)?.seq ?? missed;
  return {
    rows,
    missed,
    endCursor: seq === 0 ? null : encodeCursor(domain, { kind: 'log', jobId, seq }),
    hasMore: end !== null && (await hasLog(read, { jobId, stepNumber }, { after: end - 1 })),
    hasPrevious: async () => hasPrevious,
  };
}

builder.objectFields(Step, (t) => ({
  log: t.field({
    type: LogPage,
    description:
      'Its log over all attempts, oldest first. The offset of a chunk includes text that retention has deleted. ' +
      '`last` or `before` read backward: the page then ends at `before`, or at the end of the log.',
    args: {
      ...streamArgs,
      before: t.arg({ type: 'Cursor', description: 'Read only what precedes this cursor. Cannot be combined with `after` or `first`.' }),
      last: t.arg.int({
        description: `The most entries to read before \`before\`, or from the end: 1 to 100. Default ${STREAM_PAGE_SIZE}. The page keeps the order of the log. Cannot be combined with \`after\` or \`first\`.`,
      }),
    },
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: (step, args, context) => {
      const isBackward = args.before != null || args.last != null;
      if (isBackward && (args.after != null || args.first != null)) throw badRequest.bothDirections();
      return isBackward ? pageBefore(context, step, args) : pageAfter(context, step, args);
    },
  }),
  logEnd: t.field({
    type: LogPage,
    size: END,
    description:
      'The end of its log: the pieces in which its last lines begin, over all attempts. A page has 1,000 pieces and about a megabyte at ' +
      'most, so it may hold fewer lines than requested; `hasPrevious` tells that more are stored. `firstLine` of the first piece is ' +
      'the number of the line that it begins in. Continue with `endCursor`.',
    args: {
      lines: t.arg.int({ required: true, defaultValue: 100, description: `The number of lines: 1 to ${MOST_END_LINES}.` }),
    },
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: async ({ jobId, number: stepNumber }, { lines }, context) => {
      if (lines < 1 || lines > MOST_END_LINES) throw badRequest.outOfRange('lines', 1, MOST_END_LINES, lines);
      const asked = { jobId, stepNumber, lines, hold: (bytes: number) => context.budget.hold(bytes) };
      return backward(context, { jobId, stepNumber, end: null }, await readLogEnd(context.read, asked));
    },
  }),
  logFrom: t.field({
    type: LogPage,
    description:
      'Its log from a line on: a link to a line opens it. The line begins in the first piece, perhaps after others: see `firstLine`. ' +
      'If it is not stored, the page begins with what would follow it.',
    args: {
      attempt: t.arg.int({ required: true, description: 'The number of the attempt: 1 or more.' }),
      line: t.arg.int({ required: true, description: 'The number of the line within the attempt: 1 or more.' }),
      first: streamArgs.first,
    },
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: async (step, { attempt, line, first }, context) => {
      if (attempt < 1) throw badRequest.tooSmall('attempt', 1, attempt);
      if (line < 1) throw badRequest.tooSmall('line', 1, line);
      const { domain, read } = context;
      const { jobId, number: stepNumber } = step;
      await numberLog(domain, jobId);
      const seq = await numberBeforeLine(read, { jobId, stepNumber, attempt, line });
      const after = seq === 0 ? null : encodeCursor(domain, { kind: 'log', jobId, seq });
      return pageAfter(context, step, { after, first });
    },
  }),
  logLines: t.int({
    description:
      'The number of lines in its log over all attempts, with those that retention has deleted. A `\\n` ends a line, a `\\r` does ' +
      'not. A last line without its end counts. Stdout and stderr are counted together, in the order in which they were written.',
    extensions: reads<ShownStep>('id', 'jobId'),
    resolve: async (step, _, context) => toInt((await logCountsOf.load(context, step)).lines),
  }),
  logBytes: t.field({
    type: 'ByteCount',
    description: 'The size of its log over all attempts in bytes (UTF-8), with what retention has deleted.',
    extensions: reads<ShownStep>('id', 'jobId'),
    resolve: async (step, _, context) => (await logCountsOf.load(context, step)).bytes,
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
