import { setTimeout as delay } from 'node:timers/promises';
import type { Enclosure } from './enclosure.ts';
import { hasVariable, listProcesses, type ProcessRow, selectFamily, sendSignal } from './processes.ts';

/** What can be killed is gone in this time. What is not hangs in the kernel (a dead network file system, a broken device), and may never be. */
const endMilliseconds = 3_000;

/** What was just killed needs a moment to go. */
const pauseMilliseconds = 5;

export interface FamilyOptions {
  /** The process that all descend from, which leads a session of its own; null when it is gone, or may be another's by now. */
  readonly root: number | null;
  /** `NAME=value`: a variable that the root was started with and nothing else on this machine was, handed on to all that it starts. */
  readonly mark?: string | undefined;
  readonly enclosure?: Enclosure | undefined;
}

/**
 * All that one command has started and that still runs. A process belongs to it that its enclosure holds; that was started with the mark; that is in a session or group of
 * another one of it; that is the child of one, or was when it was last looked for.
 */
export class Family {
  readonly #root: number | null;
  readonly #mark: string | undefined;
  readonly #enclosure: Enclosure | undefined;
  /** Of those who were there when they were last looked for. A process or a session with the same number may be another one later. */
  #known = new Map<number, string>();
  #sessions = new Set<number>();
  #groups = new Set<number>();
  /** When the root was started: nothing older is of its family. */
  #since: string | null = null;
  #looking: Promise<unknown> = Promise.resolve();

  constructor({ root, mark, enclosure }: FamilyOptions) {
    this.#root = root;
    this.#mark = mark;
    this.#enclosure = enclosure;
    if (root === null) return;
    this.#sessions.add(root);
    this.#groups.add(root);
  }

  /** Those that run, without the enclosure's keepers. One look after the other: each goes by what the one before has found. */
  list(): Promise<ProcessRow[]> {
    const look = this.#looking.then(() => this.#look());
    this.#looking = look.catch(() => {});
    return look;
  }

  async #look(): Promise<ProcessRow[]> {
    const rows = (await listProcesses()).filter(({ pid, isZombie }) => pid > 1 && pid !== process.pid && !isZombie);
    this.#since ??= rows.find(({ pid }) => pid === this.#root)?.startedAt ?? null;
    const enclosed = (await this.#enclosure?.list()) ?? new Set<number>();
    const isKnown = ({ pid, startedAt, session, group }: ProcessRow) =>
      enclosed.has(pid) || this.#known.get(pid) === startedAt || this.#sessions.has(session) || this.#groups.has(group);
    const related = selectFamily(rows, isKnown);
    const strays = await this.#findMarked(rows, new Set(related));
    const family = strays.length === 0 ? related : selectFamily(rows, (row) => isKnown(row) || strays.includes(row));
    this.#known = new Map(family.map(({ pid, startedAt }) => [pid, startedAt]));
    this.#sessions = new Set(family.map(({ session }) => session).filter((session) => session !== 0));
    this.#groups = new Set(family.map(({ group }) => group));
    const keepers = this.#findKeepers(family);
    return family.filter(({ pid }) => !keepers.has(pid));
  }

  /** SIGTERM to each of them, once; they are held still meanwhile, so that none is missed that is just being started or makes a group of its own. */
  async terminate(): Promise<void> {
    const family = await this.#holdStill(performance.now() + endMilliseconds);
    for (const { pid } of family) sendSignal(pid, 'SIGTERM');
    // One that was stopped before, too: it would only hear of it when it goes on.
    for (const { pid } of family) sendSignal(pid, 'SIGCONT');
  }

  /**
   * Ends all of them, and looks again until there is nobody left: what they started meanwhile is found, because they are held still
   * before they are killed. Answers how many could not be ended.
   */
  async end(): Promise<number> {
    const until = performance.now() + endMilliseconds;
    for (;;) {
      await this.#enclosure?.kill(this.#root);
      const left = await this.#holdStill(until);
      if (left.length === 0 || performance.now() > until) return left.length;
      for (const { pid } of left) sendSignal(pid, 'SIGKILL');
      await delay(pauseMilliseconds);
    }
  }

  /** Stops each of them until there is none that was not stopped before. Answers them. */
  async #holdStill(until: number): Promise<ProcessRow[]> {
    const held = new Set<number>();
    for (;;) {
      const rows = await this.list();
      const moving = rows.filter(({ pid }) => !held.has(pid));
      if (moving.length === 0 || performance.now() > until) return rows;
      for (const { pid } of moving) {
        held.add(pid);
        sendSignal(pid, 'SIGSTOP');
      }
    }
  }

  /** Started since the root was, and with its mark. */
  async #findMarked(rows: readonly ProcessRow[], known: ReadonlySet<ProcessRow>): Promise<ProcessRow[]> {
    const mark = this.#mark;
    if (mark === undefined) return [];
    // On Linux, where alone a mark can be seen, these are ticks of one clock.
    const since = Number(this.#since ?? 0);
    const unknown = rows.filter((row) => !known.has(row) && Number(row.startedAt) >= since);
    const isMarked = await Promise.all(unknown.map(({ pid }) => hasVariable(pid, mark)));
    return unknown.filter((_, i) => isMarked[i]);
  }

  #findKeepers(family: readonly ProcessRow[]): ReadonlySet<number> {
    const keepers = new Set<number>();
    let generation = family.filter(({ pid }) => pid === this.#root);
    for (let i = 0; i < (this.#enclosure?.keepers ?? 0); i += 1) {
      const pids = new Set(generation.map(({ pid }) => pid));
      for (const pid of pids) keepers.add(pid);
      generation = family.filter(({ parent }) => pids.has(parent));
    }
    return keepers;
  }
}
