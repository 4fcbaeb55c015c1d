/**
 * The notes of all clients, joined: each call with its answer, each lease with its uses, each
 * subscription with its frames.
 */
import type { Answered, Asked, Fate, FrameSeen, Moment, Note, Stalled, Subscribed, Turned } from '../notes.ts';
import type { OperationName, Operations } from '../operations.ts';

/** A call, from its intention to its outcome. */
export interface CallOf<K extends OperationName> {
  readonly client: string;
  readonly call: number;
  /** The line of its intention in the client's file. */
  readonly line: number;
  /**
   * The call that it repeats, or itself. Calls with one intent are one operation, sent again
   * because an answer was lost.
   */
  readonly intent: string;
  readonly operation: K;
  readonly input: Operations[K]['input'];
  readonly asked: Moment;
  /** Null: there was no answer, or the whole request was refused. */
  readonly result: Operations[K]['result'] | null;
  readonly answered: Moment | null;
  /** The code with which the whole request was refused, which means that nothing was done. */
  readonly refusedWith: string | null;
  /** False: no gateway was reached. */
  readonly isSent: boolean;
}

/** A union over all operations, discriminated by `operation`. */
export type Call = { [K in OperationName]: CallOf<K> }[OperationName];

export interface Frame extends FrameSeen, Moment {
  readonly line: number;
}

export interface Subscription extends Subscribed, Moment {
  readonly client: string;
  readonly line: number;
  readonly frames: readonly Frame[];
  readonly turns: readonly (Turned & Moment)[];
  /** Null: its client was killed. */
  readonly end: ({ readonly how: 'ended' | 'left' | 'refused'; readonly why: string } & Moment) | null;
}

/** A lease that a client was given. */
export interface Lease {
  readonly token: string;
  readonly stepId: string;
  readonly jobId: string;
  readonly stepNumber: number;
  readonly attempt: number;
  readonly leaseSeconds: number;
  readonly claim: CallOf<'claimNextSteps'>;
}

/** A call with a lease's token. */
export type Use = Extract<Call, { operation: UseName }>;
const useNames = ['renewLease', 'reportProgress', 'createFragment', 'uploadFragment', 'completeStep', 'failStep', 'releaseStep'] as const;
export type UseName = (typeof useNames)[number];

export interface History {
  readonly calls: readonly Call[];
  readonly subscriptions: readonly Subscription[];
  readonly fates: readonly (Fate & Moment)[];
  readonly stalls: readonly (Stalled & Moment)[];
  readonly probes: readonly Extract<Note, { kind: 'probed' }>[];
  /** By token. */
  readonly leases: ReadonlyMap<string, Lease>;
  /** By token, in order of their requests. */
  readonly uses: ReadonlyMap<string, readonly Use[]>;
  /** The last moment of the history. */
  readonly end: Moment;
}

export function readHistory(notes: readonly Note[]): History {
  const calls = readCalls(notes);
  const leases = new Map<string, Lease>();
  for (const claim of callsOf(calls, 'claimNextSteps')) for (const lease of leasesOf(claim)) leases.set(lease.token, lease);
  const uses = new Map<string, Use[]>();
  for (const call of calls) if (isUse(call) && call.input.leaseToken) push(uses, call.input.leaseToken, call);
  const last = notes.at(-1);
  return {
    calls,
    subscriptions: readSubscriptions(notes),
    fates: notes.filter((note) => note.kind === 'fate'),
    stalls: notes.filter((note) => note.kind === 'stalled'),
    probes: notes.filter((note) => note.kind === 'probed'),
    leases,
    uses,
    end: { mono: last?.mono ?? 0, wall: last?.wall ?? 0 },
  };
}

export function callsOf<K extends OperationName>(calls: readonly Call[], operation: K): CallOf<K>[] {
  return calls.filter((call) => call.operation === operation) as unknown as CallOf<K>[]; // the filter guarantees it; TypeScript cannot follow a generic K
}

const isUse = (call: Call): call is Use => (useNames as readonly string[]).includes(call.operation);

/** The gateway did it and confirmed it. */
export const isDone = ({ result }: Pick<Call, 'result'>): boolean => result !== null && /(Payload|^Uploaded)$/.test(result.__typename);

export const isStale = ({ result }: Pick<Call, 'result'>): boolean =>
  result?.__typename === 'StaleLeaseError' || (result?.__typename === 'UploadRefused' && result.code === 'STALE_LEASE');

/** The description of a call in evidence. */
export function tell(call: Pick<Call, 'client' | 'line' | 'operation' | 'call' | 'result' | 'refusedWith'>): string {
  const came = call.result === null ? (call.refusedWith ?? 'no answer') : call.result.__typename;
  return `${call.client}.jsonl:${call.line} ${call.operation} #${call.call} → ${came}`;
}

export function groupBy<T>(list: readonly T[], key: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of list) push(groups, key(each), each);
  return groups;
}

function push<T>(groups: Map<string, T[]>, key: string, value: T): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

function readCalls(notes: readonly Note[]): Call[] {
  const name = ({ client }: Note, call: number) => `${client}#${call}`;
  const answers = new Map<string, Answered & Note>();
  const refusals = new Map<string, string>();
  const unsent = new Set<string>();
  for (const note of notes) {
    if (note.kind === 'answered') answers.set(name(note, note.call), note);
    if (note.kind === 'refused') refusals.set(name(note, note.call), note.code);
    if (note.kind === 'lost' && !note.isSent) unsent.add(name(note, note.call));
  }
  return notes
    .filter((note): note is Asked & Note => note.kind === 'asked')
    .map((asked) => {
      const answer = answers.get(name(asked, asked.call));
      return {
        client: asked.client,
        call: asked.call,
        line: asked.line,
        intent: name(asked, asked.again ?? asked.call),
        operation: asked.operation,
        input: asked.input,
        asked: momentOf(asked),
        result: answer?.result ?? null,
        answered: answer ? momentOf(answer) : null,
        refusedWith: refusals.get(name(asked, asked.call)) ?? null,
        isSent: !unsent.has(name(asked, asked.call)),
      } as Call; // an answer belongs to its operation
    });
}

const momentOf = ({ mono, wall }: Moment): Moment => ({ mono, wall });

function leasesOf(claim: CallOf<'claimNextSteps'>): Lease[] {
  if (claim.result?.__typename !== 'ClaimNextStepsPayload') return [];
  return claim.result.claims.map(({ step, lease }) => ({
    token: lease.token,
    stepId: step.id,
    jobId: step.job.id,
    stepNumber: step.number,
    attempt: lease.attempt,
    leaseSeconds: claim.input.leaseSeconds ?? 60,
    claim,
  }));
}

function readSubscriptions(notes: readonly Note[]): Subscription[] {
  const byName = new Map<string, { frames: Frame[]; turns: (Turned & Moment)[]; end: Subscription['end'] }>();
  const list: Subscription[] = [];
  for (const note of notes) {
    if (!('subscription' in note)) continue;
    const name = `${note.client} ${note.subscription}`;
    if (note.kind === 'subscribed') {
      const open = { frames: [], turns: [], end: null };
      byName.set(name, open);
      // The lists are filled by later notes, and so is `end`.
      list.push({
        ...note,
        ...open,
        get end() {
          return byName.get(name)?.end ?? null;
        },
      });
      continue;
    }
    const known = byName.get(name);
    if (!known) throw new Error(`${note.client}.jsonl:${note.line} is of a subscription that was never begun.`);
    if (note.kind === 'frame') known.frames.push(note);
    else if (note.kind === 'turned') known.turns.push(note);
    else known.end = note;
  }
  return list;
}
