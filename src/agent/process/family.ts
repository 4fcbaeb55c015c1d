import { setTimeout as delay } from 'node:timers/promises';
import type { Enclosure } from './enclosure.ts';
import { hasVariable, listProcesses, type ProcessRow, selectFamily, sendSignal } from './processes.ts';

/**
 * What can be killed is gone within this time. The rest hangs in the kernel (a dead network file
 * system, a broken device), perhaps for ever.
 */
const endMilliseconds = 3_000;

/** A killed process takes a moment to disappear. */
const pauseMilliseconds = 5;

export interface FamilyOptions {
  /**
   * The process that all others descend from, which leads its own session. Null when it is gone or
   * its pid may be another's.
   */
  readonly root: number | null;
  /**
   * `NAME=value`: a variable that only this root was started with, inherited by all that it starts.
   */
  readonly mark?: string | undefined;
  readonly enclosure?: Enclosure | undefined;
}

/**
 * All running processes of one command. A process belongs to it if
 *
 * - its enclosure holds it,
 * - it was started with the mark,
 * - it is in a session or group of another member, or
 * - it is a member's child, or was one at the last look.
 */
export class Family {
  readonly #root: number | null;
  readonly #mark: string | undefined;
  readonly #enclosure: Enclosure | undefined;
  /**
   * The members at the last look. Later, the same number may belong to another process or session.
   */
  #known = new Map<number, string>();
  #sessions = new Set<number>();
  #groups = new Set<number>();
  /** When the root was started. Nothing older belongs to the family. */
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

  /**
   * The running members, without the enclosure's keepers. Looks are sequential: each builds on what
   * the one before found.
   */
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

  /**
   * Sends SIGTERM to each of them once. They are stopped meanwhile, so that none is missed that is
   * just being started or makes its own group.
   */
  async terminate(): Promise<void> {
    const family = await this.#holdStill(performance.now() + endMilliseconds);
    for (const { pid } of family) sendSignal(pid, 'SIGTERM');
    // Also wakes one that was stopped before: it would not see SIGTERM until it continues.
    for (const { pid } of family) sendSignal(pid, 'SIGCONT');
  }

  /**
   * Kills all of them and looks again until none is left. They are stopped before they are killed,
   * so what they started meanwhile is found. Resolves with how many could not be ended.
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

  /** Sends SIGSTOP until a look finds no new member. Resolves with all of them. */
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

  /** The processes that started after the root and have its mark. */
  async #findMarked(rows: readonly ProcessRow[], known: ReadonlySet<ProcessRow>): Promise<ProcessRow[]> {
    const mark = this.#mark;
    if (mark === undefined) return [];
    // Marks can only be seen on Linux, where these are ticks of one clock.
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
