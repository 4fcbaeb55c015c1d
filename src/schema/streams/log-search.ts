import { decodePlace, encodeCursor } from '../../domain/core/cursors.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { numberLog } from '../../domain/logs/numbering.ts';
import { type LinePlace, type LogMatch as LogMatchShape, MOST_SEARCHED_BYTES, searchLog } from '../../domain/logs/search.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { Step } from '../core/nouns.ts';
import { IN_ITS_PAGE, type Size } from '../core/sizes.ts';
import { toInt } from './logs.ts';

const MOST_TEXT = 200;
/** A match counts as a node, and so do each 8 KB that the search may read for it. */
const SEARCH: Size = { by: ['first'], usually: 50, perNode: 1, isPage: true, besides: MOST_SEARCHED_BYTES / 8_192 };

interface Match extends LogMatchShape {
  readonly cursor: string;
}

interface MatchPage {
  readonly matches: readonly Match[];
  readonly endCursor: string | null;
  readonly hasMore: boolean;
}

const cursorOf = (domain: Domain, jobId: string, { seq, line }: LinePlace) => encodeCursor(domain, { kind: 'log', jobId, seq, line });

const LogMatch = builder.objectRef<Match>('LogMatch').implement({
  description: 'A line of a log that contains the text.',
  fields: (t) => ({
    cursor: t.expose('cursor', {
      type: 'Cursor',
      description:
        'Its position. Pass it as `after` of `logSearch` to search on behind this line, or as `after` of `log` to read the log from the ' +
        'piece in which the line begins.',
    }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt that wrote it.' }),
    line: t.int({ description: 'The number of the line within the attempt, from 1.', resolve: ({ line }) => toInt(line) }),
    text: t.exposeString('text', {
      description:
        'The line as a terminal shows it, without escape sequences. A long one is cut to 500 characters around the match, with `…`.',
    }),
  }),
});

const LogMatchPage = builder.objectRef<MatchPage>('LogMatchPage').implement({
  description: 'Lines of a log that contain a text.',
  fields: (t) => ({
    matches: t.expose('matches', { type: [LogMatch], size: IN_ITS_PAGE, description: 'The lines, oldest first.' }),
    endCursor: t.expose('endCursor', {
      type: 'Cursor',
      nullable: true,
      description: 'How far the log is searched. Pass it as `after` to search on, also in what is written later. Null: the log is empty.',
    }),
    hasMore: t.exposeBoolean('hasMore', {
      description:
        'Whether some of the log is left to search. There may be no more matches in it, and a page with more to search may have none.',
    }),
  }),
});

builder.objectField(Step, 'logSearch', (t) =>
  t.field({
    type: LogMatchPage,
    size: SEARCH,
    description:
      'Lines of its log that contain a text, oldest first. Upper and lower case are the same. A line is compared as a terminal shows it: ' +
      'without escape sequences, and without text that a `\\r` has overwritten. One answer searches about 8 MB of the log, then `hasMore` ' +
      'is true and `endCursor` is where to continue.',
    args: {
      text: t.arg.string({ required: true, description: `The text: 1 to ${MOST_TEXT} characters on one line. It is no pattern.` }),
      attempt: t.arg.int({ description: 'Only lines of the attempt with this number. Default: all attempts.' }),
      after: t.arg({ type: 'Cursor', description: 'Search only behind this cursor of the log. Default: from the beginning.' }),
      first: t.arg.int({ required: true, defaultValue: 50, description: 'The most lines to return: 1 to 100.' }),
    },
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: async ({ jobId, number: stepNumber }, { text, attempt, after, first }, { domain, budget, signal }) => {
      if (text.length < 1 || text.length > MOST_TEXT) throw badRequest.textLength('text', MOST_TEXT, text.length);
      if (text.includes('\n')) throw badRequest.notOneLine('text');
      if (attempt != null && attempt < 1) throw badRequest.tooSmall('attempt', 1, attempt);
      if (first < 1) throw badRequest.tooSmall('first', 1, first);
      const from = after == null ? { seq: 0, line: null } : await decodePlace(domain, after, { kind: 'log', jobId });
      if (from.line !== null && from.line.stepNumber !== stepNumber) throw badRequest.foreignStreamCursor('after');
      await numberLog(domain, jobId);
      // What is searched does not stay in memory: only the largest portion counts.
      let held = 0;
      const hold = (bytes: number) => {
        if (bytes > held) budget.hold(bytes - held);
        held = Math.max(held, bytes);
      };
      const { matches, place, hasMore } = await searchLog(domain, {
        ...{ jobId, stepNumber, text, attempt: attempt ?? null, from, first, hold, signal },
      });
      return {
        matches: matches.map((match) => ({ ...match, cursor: cursorOf(domain, jobId, match.next) })),
        endCursor: place === null ? (after ?? null) : cursorOf(domain, jobId, place),
        hasMore,
      };
    },
  }),
);
