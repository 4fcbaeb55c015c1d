/** The checks of streams, on histories written by hand. */
import { describe, expect, test } from 'vitest';
import { checkStreams } from './checker/p7-streams.ts';
import { checkHonestGaps } from './checker/p8-honest-gaps.ts';
import { cursorOf, Hand, job, project, reported, seenEvent, seenLog } from './hand.ts';

const says = (findings: readonly { says: string }[]) => findings.map((finding) => finding.says);

/** A log of five lines, watched by `r` from the beginning. */
function logOfFive() {
  const hand = new Hand();
  const rows = ['a', 'b', 'c', 'd', 'e'].map((text) => hand.line(text));
  return { hand, seen: rows.map(seenLog), subscription: hand.subscribe('r', 'log') };
}

describe('Streams (P7)', () => {
  test('every row in order, over a reconnect, passes', () => {
    const { hand, seen, subscription } = logOfFive();
    hand.frame('r', subscription, cursorOf('log', 2), seen.slice(0, 2), { state: 'REPLAYING' });
    hand.write('r', { kind: 'turned', subscription, to: 'reconnecting', why: 'cut' });
    hand.frame('r', subscription, cursorOf('log', 5), seen.slice(2));
    const again = hand.subscribe('r', 'log', cursorOf('log', 4));
    hand.frame('r', again, cursorOf('log', 5), seen.slice(4));
    expect(checkStreams(hand.evidence())).toEqual([]);
  });

  test.each([
    { what: 'a hole', rows: [0, 2, 3, 4] },
    { what: 'a repetition', rows: [0, 1, 1, 2, 3, 4] },
    { what: 'a wrong order', rows: [0, 2, 1, 3, 4] },
    { what: 'a missing end', rows: [0, 1, 2, 3] },
  ])('$what is found', ({ rows }) => {
    const { hand, seen, subscription } = logOfFive();
    const picked = rows.flatMap((i) => seen[i] ?? []);
    hand.frame('r', subscription, cursorOf('log', 5), picked);
    expect(says(checkStreams(hand.evidence()))).toEqual([expect.stringContaining(`5 rows are stored, ${rows.length} came`)]);
  });

  test('a row that is repeated after its cursor, and a cursor that goes back, are found', () => {
    const { hand, seen, subscription } = logOfFive();
    hand.frame('r', subscription, cursorOf('log', 3), seen.slice(0, 3));
    hand.frame('r', subscription, cursorOf('log', 5), seen.slice(2));
    hand.frame('r', subscription, cursorOf('log', 4), []);
    expect(says(checkStreams(hand.evidence()))).toEqual([
      expect.stringContaining('from 3 to 5: 2 rows are stored, 3 came'),
      'The cursor of log of job_1 went back from 5 to 4.',
    ]);
  });

  test('a stream that is reported as ended too early, and one that is refused, are found', () => {
    const { hand, seen, subscription } = logOfFive();
    hand.stored.streams.push({ jobId: job, kind: 'log', last: 5, first: 1 });
    hand.frame('r', subscription, cursorOf('log', 4), seen.slice(0, 4), { state: 'ENDED' });
    const refused = hand.subscribe('r', 'log', cursorOf('log', 4));
    hand.write('r', { kind: 'unsubscribed', subscription: refused, how: 'refused', why: 'BAD_REQUEST after' });
    expect(says(checkStreams(hand.evidence()))).toEqual([
      'log of job_1 was said to have ended at 4; it goes to 5, and the job is QUEUED.',
      'log of job_1 was refused, after a cursor that it had given: BAD_REQUEST after',
    ]);
  });

  test('a feed that was read to its end but has later rows is found', () => {
    const hand = new Hand();
    hand.event({ type: 'JOB_STATUS_CHANGED', from: 'QUEUED', to: 'RUNNING', reason: 'CLAIMED' });
    const subscription = hand.subscribe('r', 'feed');
    hand.frame('r', subscription, cursorOf('feed', 1), hand.stored.events.slice(0, 1).map(seenEvent));
    hand.write('r', { kind: 'unsubscribed', subscription, how: 'left', why: '' });
    hand.write('runner', { kind: 'fate', of: 'gateway 0', what: 'stopped' });
    expect(says(checkStreams(hand.evidence()))).toEqual(['The feed was at its end at 1, with 1 rows after it.']);
  });

  test('a feed in which the change answered first stands second is found', () => {
    const hand = new Hand();
    const create = (name: string, id: string) => {
      const input = { projectId: project, name, idempotencyKey: name };
      hand.call('s', 'createJob', input, { __typename: 'CreateJobPayload', job: { id }, isReplay: false });
      hand.stored.jobs.push({ id, projectId: project, name, status: 'QUEUED' });
    };
    create('first', 'job_a');
    create('second', 'job_b');
    const event = { type: 'JOB_CREATED', to: 'QUEUED', seq: 1 };
    hand.event({ ...event, jobId: 'job_b', position: 10 });
    hand.event({ ...event, jobId: 'job_a', position: 11 });
    expect(says(checkStreams(hand.evidence()))).toEqual([
      'event 1 of job_b (at 10) stands before event 1 of job_a (at 11) in the feed, and was asked for only after that was answered.',
    ]);
  });
});

describe('Arrivals (P7)', () => {
  /** A subscriber that has caught up, a report, and its line `afterMs` after the answer. */
  function arriving(afterMs: number, meanwhile: (hand: Hand) => void = () => {}) {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    const subscription = hand.subscribe('r', 'log');
    hand.frame('r', subscription, cursorOf('log', 0), []);
    hand.wait(2_000).call('w', 'reportProgress', { leaseToken: token, log: [{ offset: 0, text: 'a' }] }, reported(1));
    const row = hand.line('a');
    meanwhile(hand);
    hand.wait(afterMs).frame('r', subscription, cursorOf('log', 1), [seenLog(row)]);
    hand.wait(10_000).write('r', { kind: 'unsubscribed', subscription, how: 'left', why: '' });
    return says(checkStreams(hand.evidence()));
  }

  test('a row that comes soon passes; a row that comes with the safety poll means a lost wake-up', () => {
    expect(arriving(50)).toEqual([]);
    expect(arriving(4_900)).toEqual([expect.stringMatching(/^A row of log \(1\) came .* 49\d\d ms later: its wake-up was lost\.$/)]);
  });

  test('a late row on a far too busy machine passes', () => {
    const stalled = (slowdown: number) => (hand: Hand) => void hand.wait(100).write('runner', { kind: 'stalled', slowdown, ms: 0 });
    expect(arriving(4_800, stalled(60))).toEqual([]);
    expect(arriving(4_800, stalled(2))).toHaveLength(1);
  });

  test('a late row around the death of a gateway passes', () => {
    const fate = { kind: 'fate', of: 'gateway 0', what: 'killed' } as const;
    expect(arriving(4_900, (hand) => void hand.write('runner', fate))).toEqual([]);
  });
});

describe('Honest gaps (P8)', () => {
  test('rows past retention that are counted pass; miscounted rows are found', () => {
    const counted = (missed: number) => {
      const { hand, seen, subscription } = logOfFive();
      hand.stored.log.splice(0, 3);
      hand.frame('r', subscription, cursorOf('log', 5), seen.slice(3), { missed });
      return { gaps: says(checkHonestGaps(hand.evidence())), streams: checkStreams(hand.evidence()) };
    };
    expect(counted(3)).toEqual({ gaps: [], streams: [] });
    expect(counted(2).gaps).toEqual(['log of job_1 went on by 5, with 2 rows and 2 said to be missed.']);
  });

  test('a cursor that was never issued but is accepted is found', () => {
    const hand = new Hand();
    hand.write('r', { kind: 'probed', cursor: 'x', what: 'A cursor of the future', code: 'BAD_REQUEST' });
    hand.write('r', { kind: 'probed', cursor: 'x', what: 'A cursor of the future', code: null });
    expect(says(checkHonestGaps(hand.evidence()))).toEqual(['A cursor of the future was taken.']);
  });
});
