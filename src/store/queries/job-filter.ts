/** The filter of job lists: the client's filter, within what its key may see. */
import { and, eq, exists, gt, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import { type JobStatus, jobStatuses } from '../../domain/core/lifecycle.ts';
import { type JobInitiator, type JobType, jobInitiators, jobTypes, type Label } from '../../domain/core/vocabulary.ts';
import type { Optional } from '../optional.ts';
import type { Tables } from '../schema/tables.ts';
import type { Term } from '../statements/shapes.ts';

/** Null and undefined do not filter. An empty list matches no job. */
export interface JobFilter {
  readonly projectId?: Optional<string>;
  readonly experimentId?: Optional<string>;
  readonly applicationId?: Optional<string>;
  readonly statuses?: Optional<readonly JobStatus[]>;
  readonly types?: Optional<readonly JobType[]>;
  readonly initiators?: Optional<readonly JobInitiator[]>;
  readonly name?: Optional<string>;
  /**
   * A part of the name. Letters A to Z match in either case. All other characters match exactly, on
   * every database.
   */
  readonly nameContains?: Optional<string>;
  readonly owner?: Optional<string>;
  /** Labels that the job must have, all of them. */
  readonly labels?: Optional<readonly Label[]>;
  readonly createdAfter?: Optional<Date>;
  readonly createdBefore?: Optional<Date>;
}

/** The scope that a principal's lists are limited to. Null does not limit. */
export interface JobScope {
  readonly projectId: string | null;
  readonly jobId: string | null;
}

/** Terms that must all hold, or 'none' if it is known without a query that no job matches. */
export type JobCondition = readonly Term[] | 'none';

/** The condition for both the filter and the scope. */
export function jobCondition(filter: JobFilter, scope: JobScope): JobCondition {
  const { statuses, types, initiators } = filter;
  const isForeign = filter.projectId != null && scope.projectId !== null && filter.projectId !== scope.projectId;
  // PostgreSQL's text cannot contain NUL, so no name does.
  const texts = [
    filter.projectId,
    filter.applicationId,
    filter.experimentId,
    filter.name,
    filter.nameContains,
    filter.owner,
    ...(filter.labels ?? []).flatMap(({ key, value }) => [key, value]),
  ];
  if (texts.some((text) => text?.includes('\0'))) return 'none';
  if (isForeign || statuses?.length === 0 || types?.length === 0 || initiators?.length === 0) return 'none';
  return [
    equalTerm('jobId', scope.jobId, (t) => t.jobs.id),
    equalTerm('projectId', filter.projectId ?? scope.projectId, (t) => t.jobs.projectId),
    equalTerm('experimentId', filter.experimentId, (t) => t.jobs.experimentId),
    equalTerm('applicationId', filter.applicationId, (t) => t.jobs.applicationId),
    wordsTerm('status', statuses, jobStatuses, (t) => t.jobs.status),
    wordsTerm('type', types, jobTypes, (t) => t.jobs.type),
    wordsTerm('initiator', initiators, jobInitiators, (t) => t.jobs.initiator),
    equalTerm('name', filter.name, (t) => t.jobs.name),
    containsTerm(filter.nameContains),
    equalTerm('owner', filter.owner, (t) => t.jobs.owner),
    ...(filter.labels ?? []).map((label, i) => labelTerm(label, i)),
    instantTerm('createdAfter', filter.createdAfter, gt),
    instantTerm('createdBefore', filter.createdBefore, lt),
  ].filter((term) => term !== null);
}

function equalTerm(name: string, value: Optional<string>, column: (t: Tables) => AnySQLiteColumn): Term | null {
  if (value == null) return null;
  return { shape: name, values: { [name]: value }, condition: (t, $) => eq(column(t), $(name)) };
}

/**
 * One word becomes an equality, which an index can serve in the list's order. Several become a
 * list, padded to a fixed size by repeating the last word.
 */
function wordsTerm(
  name: string,
  words: Optional<readonly string[]>,
  known: readonly string[],
  column: (t: Tables) => AnySQLiteColumn,
): Term | null {
  if (words == null) return null;
  const distinct = [...new Set(words)];
  if (distinct.length === 1) return equalTerm(name, distinct[0], column);
  const names = known.map((_, i) => name + i);
  return {
    shape: `${name}s`,
    values: Object.fromEntries(names.map((key, i) => [key, distinct[Math.min(i, distinct.length - 1)]])),
    condition: (t, $) =>
      inArray(
        column(t),
        names.map((key) => $(key)),
      ),
  };
}

function containsTerm(part: Optional<string>): Term | null {
  if (part == null || part === '') return null;
  return {
    shape: 'nameContains',
    values: { nameContains: foldAscii(part) },
    condition: (t, $, dialect): SQL => dialect.contains(t.jobs.name, $('nameContains')),
  };
}
const foldAscii = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

function labelTerm({ key, value }: Label, i: number): Term {
  return {
    shape: `label${i}`,
    values: { [`key${i}`]: key, [`value${i}`]: value },
    condition(t, $) {
      // A subquery of EXISTS: its columns do not matter.
      const { jobLabels } = t;
      return exists(
        sql`(select 1 from ${jobLabels} where ${and(eq(jobLabels.jobId, t.jobs.id), eq(jobLabels.key, $(`key${i}`)), eq(jobLabels.value, $(`value${i}`)))})`,
      );
    },
  };
}

function instantTerm(name: string, value: Optional<Date>, compare: typeof gt): Term | null {
  if (value == null) return null;
  return { shape: name, values: { [name]: value }, condition: (t, $) => compare(t.jobs.createdAt, $(name, t.jobs.createdAt)) };
}
