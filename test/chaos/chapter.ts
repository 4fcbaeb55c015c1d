/** Rounds of kills in one world, and the checker's verdict on them. */
import { join } from 'node:path';
import { check, type Extent, measure } from './checker/check.ts';
import { readStored } from './checker/database.ts';
import { type Evidence, gather } from './checker/evidence.ts';
import type { Finding } from './checker/finding.ts';
import { readHistory } from './checker/history.ts';
import { report } from './checker/report.ts';
import { type KillOptions, runKills } from './kills.ts';
import { readNotes } from './notes.ts';
import type { World } from './world.ts';

export interface Chapter {
  readonly rounds: number;
  readonly kills: number;
  readonly workersKilled: number;
  readonly extent: Extent;
  readonly findings: readonly Finding[];
  /** Findings, objects that did not end, and faults of the chaos tests themselves. */
  readonly violations: number;
  readonly report: string;
}

export async function runChapter(options: KillOptions): Promise<Chapter> {
  const { world, unfinished, kills, workersKilled } = await runKills(options);
  const { findings, extent } = await judge(world);
  const others = [...unfinished, ...world.faults];
  return {
    rounds: options.rounds,
    kills,
    workersKilled,
    extent,
    findings,
    violations: findings.length + others.length,
    report: `${report(findings, extent)}${others.map((each) => `Not as it should be: ${each}\n`).join('')}`,
  };
}

/**
 * Lets the checker read a world that has ended. `dataDir`: the remaining data, with a SQLite file.
 */
export async function judge(world: World, dataDir?: string): Promise<{ evidence: Evidence; findings: Finding[]; extent: Extent }> {
  const stored = await readStored(dataDir === undefined ? world.database : join(dataDir, 'trainyard.sqlite'));
  const evidence = gather(readHistory(readNotes(world.notesDir)), stored, { fragmentsDir: join(dataDir ?? world.dataDir, 'fragments') });
  return { evidence, findings: check(evidence), extent: measure(evidence) };
}

/** All chapters in one paragraph. */
export function tally(chapters: readonly Chapter[]): string {
  const sum = (of: (chapter: Chapter) => number) => chapters.reduce((total, chapter) => total + of(chapter), 0).toLocaleString('en');
  return [
    `${sum(({ rounds }) => rounds)} rounds: ${sum(({ kills }) => kills)} kills of a gateway, ${sum(({ workersKilled }) => workersKilled)} of workers;`,
    `${sum(({ extent }) => extent.acknowledged)} operations acknowledged, ${sum(({ extent }) => extent.unknown)} without an answer;`,
    `${sum(({ extent }) => extent.frames)} frames with ${sum(({ extent }) => extent.rowsWatched)} rows;`,
    `${sum(({ extent }) => extent.jobs)} jobs, ${sum(({ extent }) => extent.attempts)} attempts, ${sum(({ extent }) => extent.lostAttempts)} lost;`,
    `${sum(({ violations }) => violations)} violations.`,
  ].join(' ');
}
