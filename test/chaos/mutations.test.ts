/**
 * The checks of answered mutations, on histories written by hand: what they must find, and what
 * they must accept.
 */
import { describe, expect, test } from 'vitest';
import { checkDurable } from './checker/p1-durable.ts';
import { checkOneHolder } from './checker/p2-one-holder.ts';
import { checkFenced } from './checker/p3-fenced.ts';
import { checkRecordedOnce } from './checker/p4-recorded-once.ts';
import { checkReclaimed } from './checker/p5-reclaimed.ts';
import { checkIdempotent } from './checker/p6-idempotent.ts';
import { checkNoFault } from './checker/p14-no-fault.ts';
import { completed, cursorOf, Hand, job, project, reported, seenEvent, stale, step } from './hand.ts';

const says = (findings: readonly { says: string }[]) => findings.map((finding) => finding.says);
const created = (id: string, isReplay = false) => ({ __typename: 'CreateJobPayload', job: { id }, isReplay });

describe('Durable (P1)', () => {
  test('an answered change that is stored passes, and so does an unanswered one that is not', () => {
    const hand = new Hand();
    hand.call('s', 'createJob', { projectId: project, name: 'key-1', steps: [{ name: 'step 0' }] }, created(job));
    hand.call('s', 'createJob', { projectId: project, name: 'key-2' }, null);
    const token = hand.claim('w', 1);
    hand.line('one\n');
    hand.metric();
    const report = { leaseToken: token, log: [{ offset: 0, text: 'one\n' }], metrics: [{ name: 'loss', value: 1, iteration: 1 }] };
    hand.call('w', 'reportProgress', report, reported(4));
    hand.call('w', 'completeStep', { leaseToken: token }, completed);
    hand.storeEnd('SUCCEEDED', 'SUCCEEDED');
    expect(checkDurable(hand.evidence())).toEqual([]);
  });

  test('an answered job that is missing is found', () => {
    const hand = new Hand();
    hand.call('s', 'createJob', { projectId: project, name: 'key-2' }, created('job_2'));
    expect(says(checkDurable(hand.evidence()))).toEqual(['createJob was answered as done, but job job_2 is not stored.']);
  });

  test('an answered claim, log, metric, sample and end that are missing are found', () => {
    const hand = new Hand();
    const lost = hand.claim('w', 1, { isStored: false });
    const report = {
      leaseToken: lost,
      log: [{ offset: 0, text: 'one\n' }],
      metrics: [{ name: 'loss', value: 1, iteration: 1 }],
      telemetry: [{ at: '2026-01-01T00:00:00Z', cpu: 1, memoryMb: 1 }],
    };
    hand.call('w', 'reportProgress', report, reported(4));
    hand.call('w', 'completeStep', { leaseToken: lost }, completed);
    expect(says(checkDurable(hand.evidence()))).toEqual([
      `claimNextSteps was answered as done, but attempt 1 at ${step} is not stored.`,
      `reportProgress was answered as done, but of the log of attempt 1 at ${step} 0 of 4 bytes are stored.`,
      `reportProgress was answered as done, but loss 1 of iteration 1 of ${step} is not stored.`,
      `reportProgress was answered as done, but the sample of 2026-01-01T00:00:00Z of ${step} is not stored.`,
      `completeStep was answered as done, but attempt 1 at ${step} is not stored.`,
      `completeStep was answered as done, but ${step} is QUEUED in the end, and was answered as SUCCEEDED.`,
    ]);
  });

  test('an answered renewal and an answered cancellation that are missing are found', () => {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    const lease = { expiresAt: new Date(hand.time + 60_000).toISOString() };
    hand.call('w', 'renewLease', { leaseToken: token, leaseSeconds: 60 }, { __typename: 'RenewLeasePayload', lease });
    hand.call('s', 'cancelJob', { jobId: job }, { __typename: 'CancelJobPayload', job: { status: 'CANCELLED' } });
    expect(says(checkDurable(hand.evidence()))).toEqual([
      expect.stringMatching(/^renewLease was answered as done, but the lease of attempt 1 at step_1 ends \d+ ms earlier\.$/),
      `cancelJob was answered as done, but job ${job} is QUEUED in the end.`,
    ]);
  });

  test('an uploaded fragment with no bytes, or other bytes, is found', () => {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    const input = { fragmentId: 'frag_1', url: '/', leaseToken: token, sha256: 'aa', sizeBytes: 1 };
    hand.call('w', 'uploadFragment', input, { __typename: 'Uploaded', sha256: 'aa' });
    expect(says(checkDurable(hand.evidence()))).toEqual(['uploadFragment was answered as done, but fragment frag_1 is not stored.']);
    const row = { id: 'frag_1', jobId: job, stepId: step, attempt: 1, filename: 'f', sizeBytes: 1, sha256: 'bb' };
    hand.stored.fragments.push({ ...row, status: 'READY' });
    expect(says(checkDurable(hand.evidence()))).toEqual([
      'uploadFragment was answered as done, but fragment frag_1 is READY with bb in place of aa.',
    ]);
  });
});

describe('One holder (P2)', () => {
  test('attempts in sequence pass', () => {
    const hand = new Hand();
    hand.claim('w', 1);
    hand.storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    hand.claim('v', 2);
    hand.storeEnd('SUCCEEDED', 'SUCCEEDED');
    expect(checkOneHolder(hand.evidence())).toEqual([]);
  });

  test('an attempt that was claimed twice is found', () => {
    const hand = new Hand();
    hand.claim('w', 1);
    hand.claim('v', 1, { isStored: false });
    expect(says(checkOneHolder(hand.evidence()))).toEqual([`${step} attempt 1 was claimed 2 times.`]);
  });

  test('an attempt that continues after the next was claimed is found', () => {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    hand.storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    hand.claim('v', 2);
    hand.call('w', 'renewLease', { leaseToken: token, leaseSeconds: 1 }, { __typename: 'RenewLeasePayload', lease: {} });
    expect(says(checkOneHolder(hand.evidence()))).toEqual([`${step} was held by attempt 1 while attempt 2 held it.`]);
  });

  test('a gap in the numbers of attempts, and a claim of a held step, are found', () => {
    const hand = new Hand();
    hand.storeAttempt(1);
    hand.storeAttempt(3);
    expect(says(checkOneHolder(hand.evidence()))).toEqual([
      `The attempts at ${step} are 1, 3; it counts 3.`,
      `${step} was claimed as attempt 3, from QUEUED, after attempt 1.`,
    ]);
  });
});

describe('Fenced (P3)', () => {
  test('a late request that is refused and stores nothing passes', () => {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    hand.line('one\n');
    hand.call('w', 'reportProgress', { leaseToken: token, log: [{ offset: 0, text: 'one\n' }] }, reported(4));
    hand.storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    hand.claim('v', 2);
    hand.call('w', 'reportProgress', { leaseToken: token, log: [{ offset: 4, text: 'two\n' }] }, stale);
    expect(checkFenced(hand.evidence())).toEqual([]);
  });

  test('a request that was sent in time, and again after the end because its answer was lost, may be stored', () => {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    const report = { leaseToken: token, log: [{ offset: 0, text: 'one\n' }] };
    const first = hand.call('w', 'reportProgress', report, null);
    hand.line('one\n');
    hand.storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    hand.call('w', 'reportProgress', report, stale, first);
    expect(checkFenced(hand.evidence())).toEqual([]);
  });

  test('a request that is accepted after a later claim, after its own end, or after a watcher saw its end, is found', () => {
    const hand = new Hand();
    const first = hand.claim('w', 1);
    hand.storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    const second = hand.claim('v', 2);
    hand.call('w', 'completeStep', { leaseToken: first }, completed);
    hand.call('v', 'completeStep', { leaseToken: second }, completed);
    hand.call('v', 'reportProgress', { leaseToken: second }, reported(0));
    expect(says(checkFenced(hand.evidence()))).toEqual([
      `completeStep under attempt 1 at ${step}, which was over, was taken.`,
      `reportProgress under attempt 2 at ${step}, which was over, was taken.`,
    ]);

    const watched = new Hand();
    const token = watched.claim('w', 1);
    watched.storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    const subscription = watched.subscribe('r', 'event');
    watched.frame('r', subscription, 'c', watched.stored.events.map(seenEvent));
    watched.call('w', 'reportProgress', { leaseToken: token }, reported(0));
    expect(says(checkFenced(watched.evidence()))).toEqual([`reportProgress under attempt 1 at ${step}, which was over, was taken.`]);
  });

  test('a line that is counted twice or not at all is found', () => {
    for (const firstLine of [1, 3, null]) {
      const hand = new Hand();
      const token = hand.claim('w', 1);
      hand.line('one\n');
      hand.line('two\n', { firstLine });
      hand.call('w', 'reportProgress', { leaseToken: token, log: [{ offset: 0, text: 'one\ntwo\n' }] }, reported(8));
      expect(says(checkFenced(hand.evidence()))).toEqual([
        `The log of attempt 1 at ${step} goes on in line 2, and not in line ${firstLine}.`,
      ]);
    }
  });

  test('log, metrics and files that were refused as stale but are stored are found', () => {
    const hand = new Hand();
    const token = hand.claim('w', 1);
    const report = { leaseToken: token, log: [{ offset: 0, text: 'late\n' }], metrics: [{ name: 'loss', value: 1, iteration: 1 }] };
    hand.call('w', 'reportProgress', report, stale);
    hand.call('w', 'createFragment', { jobId: job, leaseToken: token, filename: 'f', type: 'OUTPUT', text: 'x' }, stale);
    hand.line('late\n');
    hand.metric();
    const row = { id: 'frag_1', jobId: job, stepId: step, attempt: 1, filename: 'f', sizeBytes: 1, sha256: 'bb' };
    hand.stored.fragments.push({ ...row, status: 'READY' });
    expect(says(checkFenced(hand.evidence()))).toEqual([
      `The log of attempt 1 at ${step} holds what its holder did not write.`,
      `A metric of attempt 1 at ${step} is stored that its holder did not report.`,
      'f was refused as stale, and is there.',
    ]);
  });
});

describe('Recorded once (P4)', () => {
  test('a step that ended once passes; a step that ended twice, continued after its end, or ended otherwise than its row says is found', () => {
    const hand = new Hand();
    hand.storeAttempt(1);
    hand.storeEnd('SUCCEEDED', 'SUCCEEDED');
    expect(checkRecordedOnce(hand.evidence())).toEqual([]);
    hand.event({ from: 'RUNNING', to: 'FAILED', attempt: 1 });
    expect(says(checkRecordedOnce(hand.evidence()))).toEqual([
      `${step} was SUCCEEDED, and became FAILED all the same.`,
      `${step} is SUCCEEDED; its last event says FAILED.`,
    ]);
  });

  test('an event that does not follow the one before, and two succeeded attempts, are found', () => {
    const hand = new Hand();
    hand.storeAttempt(1, { outcome: 'SUCCEEDED' });
    hand.storeAttempt(2);
    hand.storeEnd('SUCCEEDED', 'SUCCEEDED');
    expect(says(checkRecordedOnce(hand.evidence()))).toEqual([
      `${step} became RUNNING from QUEUED, but was RUNNING.`,
      `More than one attempt at ${step} succeeded.`,
    ]);
  });
});

describe('Reclaimed (P5)', () => {
  test('a step that is reclaimed in time passes, also when a restarted gateway grants the lease its time again', () => {
    const hand = new Hand();
    hand.claim('w', 1);
    hand.wait(1_400).storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    hand.claim('v', 2);
    hand.write('runner', { kind: 'fate', of: 'gateway 0', what: 'killed' });
    hand.wait(5_000).write('runner', { kind: 'fate', of: 'gateway 0', what: 'starting' });
    hand.wait(500).write('runner', { kind: 'fate', of: 'gateway 0', what: 'ready' });
    hand.wait(1_400).storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
    expect(checkReclaimed(hand.evidence())).toEqual([]);
  });

  test('an expired lease that a watcher sees too late is found', () => {
    const heard = (afterMs: number) => {
      const hand = new Hand();
      const subscription = hand.subscribe('r', 'feed');
      hand.frame('r', subscription, cursorOf('feed', 1), hand.stored.events.map(seenEvent));
      hand.claim('w', 1);
      hand.frame('r', subscription, cursorOf('feed', 2), hand.stored.events.slice(1).map(seenEvent));
      hand.wait(1_400).storeEnd('LOST', 'QUEUED', 'LEASE_EXPIRED');
      hand.wait(afterMs).frame('r', subscription, cursorOf('feed', 3), hand.stored.events.slice(2).map(seenEvent));
      hand.wait(9_000).write('r', { kind: 'unsubscribed', subscription, how: 'left', why: '' });
      return says(checkReclaimed(hand.evidence()));
    };
    expect(heard(100)).toEqual([]);
    expect(heard(4_500)).toEqual([expect.stringMatching(/^A watcher that was there saw that a lease had expired 450\d ms later\.$/)]);
  });

  test('a step that is reclaimed late, without an event, or never is found', () => {
    const hand = new Hand();
    hand.claim('w', 1);
    hand.wait(9_000).storeEnd('LOST', 'QUEUED', 'RELEASED');
    hand.claim('v', 2);
    hand.change({ leaseExpiresAt: hand.time + 1_000 });
    hand.wait(9_000).write('runner', { kind: 'fate', of: 'gateway 0', what: 'stopped' });
    expect(says(checkReclaimed(hand.evidence()))).toEqual([
      'The step of a lost device was let go 8000 ms after its lease.',
      'No event tells that the lease expired.',
      expect.stringMatching(/^step_1 is RUNNING under a lease that ran out \d+ ms before the end\.$/),
    ]);
  });
});

describe('Idempotent (P6)', () => {
  const input = { projectId: project, name: 'key-1', idempotencyKey: 'key-1' };
  const keep = (hand: Hand) => hand.stored.keys.push({ scope: project, operation: 'createJob', key: 'key-1', result: [job] });

  test('a first answer, a replay and a conflict pass', () => {
    const hand = new Hand();
    keep(hand);
    hand.call('s', 'createJob', input, created(job));
    hand.call('s', 'createJob', input, created(job, true));
    hand.call('s', 'createJob', { ...input, settings: { a: 1 } }, { __typename: 'IdempotencyConflictError' });
    expect(checkIdempotent(hand.evidence())).toEqual([]);
  });

  test('two jobs of one key, two first answers, and a lost key are found', () => {
    const hand = new Hand();
    hand.stored.jobs.push({ id: 'job_2', projectId: project, name: 'key-1', status: 'QUEUED' });
    hand.call('s', 'createJob', input, created(job));
    hand.call('s', 'createJob', input, created('job_2'));
    expect(says(checkIdempotent(hand.evidence()))).toEqual([
      'The key key-1 was answered with 2 jobs.',
      'The key key-1 was answered 2 times as no replay.',
      'The key key-1 came again, and was not answered as a replay.',
      'There are 2 jobs of the key key-1.',
    ]);
    const forgotten = new Hand();
    forgotten.call('s', 'createJob', input, created(job));
    expect(says(checkIdempotent(forgotten.evidence()))).toEqual(['The key key-1 is not kept with the job that was made for it.']);
  });

  test('another input that is accepted, or answered with anything but a conflict, is found', () => {
    const hand = new Hand();
    keep(hand);
    hand.call('s', 'createJob', input, created(job));
    hand.call('s', 'createJob', { ...input, settings: { a: 1 } }, created(job, true));
    expect(says(checkIdempotent(hand.evidence()))).toEqual([
      'Different inputs under the key key-1 were done.',
      'The key key-1 came with another input, and was not answered as a conflict.',
    ]);
  });
});

test('an internal error is found, and a refusal for the rate is not (P14)', () => {
  const hand = new Hand();
  for (const code of ['INTERNAL_ERROR', 'LIMIT_EXCEEDED']) {
    const call = hand.notes.length;
    hand.write('s', { kind: 'asked', call, again: null, operation: 'cancelJob', input: { jobId: job } });
    hand.write('s', { kind: 'refused', call, code, message: '' });
  }
  expect(says(checkNoFault(hand.evidence()))).toEqual(['cancelJob was refused with INTERNAL_ERROR.']);
});
