/** The filter of job lists: the client's filter, within what its key may see. */
import { and, eq, exists, gt, inArray, lt, not, or, type SQL, sql } from 'drizzle-orm';
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
  readonly labelFilters?: Optional<readonly LabelFilter[]>;
  readonly notStatuses?: Optional<readonly JobStatus[]>;
  readonly deviceId?: Optional<string>;
  /** The name of a metric that the job has reported. */
  readonly hasMetric?: Optional<string>;
  /**
   * Words, each of which must be part of the name, the description, the owner or a label
   * (`key=value`), or be part of the id. Letters as in `nameContains`.
   */
  readonly search?: Optional<string>;
  readonly createdAfter?: Optional<Date>;
  readonly createdBefore?: Optional<Date>;
}

/** A condition on one label: it has this value, or any (null), or the job does not have it. */
interface LabelFilter {
  readonly key: string;
  readonly value?: Optional<string>;
  readonly isAbsent?: Optional<boolean>;
}

/** The words of a search. */
export const wordsOf = (search: string): string[] => [...new Set(search.split(/\s+/).filter((word) => word !== ''))];

/** The scope that a principal's lists are limited to. Null does not limit. */
export interface JobScope {
  readonly projectId: string | null;
  readonly jobId: string | null;
}

/** Terms that must all hold, or 'none' if it is known without a query that no job matches. */
export type JobCondition = readonly Term[] | 'none';

/** The ids in one query: as many as its statement has. */
export const MOST_IDS = 64;

/** The condition that the job is one of these: `MOST_IDS` at most. */
export function idsTerm(ids: readonly string[]): Term {
  const names = Array.from({ length: MOST_IDS }, (_, i) => `id${i}`);
  return {
    shape: 'ids',
    values: Object.fromEntries(names.map((name, i) => [name, ids[Math.min(i, ids.length - 1)] ?? ''])),
    condition: (t, $) =>
      inArray(
        t.jobs.id,
        names.map((name) => $(name)),
      ),
  };
}

/** The shape of the condition that it is this job. */
export const ONE_JOB = 'jobId';
const jobTerm = (jobId: string): Term => ({ shape: ONE_JOB, values: { jobId }, condition: (t, $) => eq(t.jobs.id, $('jobId')) });

/** The condition for both the filter and the scope. */
export function jobCondition(filter: JobFilter, scope: JobScope): JobCondition {
  const { types, initiators } = filter;
  const statuses = statusesOf(filter);
  const isForeign = filter.projectId != null && scope.projectId !== null && filter.projectId !== scope.projectId;
  // PostgreSQL's text cannot contain NUL, so no name does.
  const texts = [
    filter.projectId,
    filter.applicationId,
    filter.experimentId,
    filter.name,
    filter.nameContains,
    filter.owner,
    filter.deviceId,
    filter.hasMetric,
    filter.search,
    ...[...(filter.labels ?? []), ...(filter.labelFilters ?? [])].flatMap(({ key, value }) => [key, value]),
  ];
  if (texts.some((text) => text?.includes('\0'))) return 'none';
  if (isForeign || statuses?.length === 0 || types?.length === 0 || initiators?.length === 0) return 'none';
  return [
    scope.jobId === null ? null : jobTerm(scope.jobId),
    maybeEqual('projectId', filter.projectId ?? scope.projectId, (t) => t.jobs.projectId),
    maybeEqual('experimentId', filter.experimentId, (t) => t.jobs.experimentId),
    maybeEqual('applicationId', filter.applicationId, (t) => t.jobs.applicationId),
    wordsTerm('status', statuses, jobStatuses, (t) => t.jobs.status),
    wordsTerm('type', types, jobTypes, (t) => t.jobs.type),
    wordsTerm('initiator', initiators, jobInitiators, (t) => t.jobs.initiator),
    maybeEqual('name', filter.name, (t) => t.jobs.name),
    containsTerm(filter.nameContains),
    maybeEqual('owner', filter.owner, (t) => t.jobs.owner),
    maybeEqual('deviceId', filter.deviceId, (t) => t.jobs.deviceId),
    metricTerm(filter.hasMetric),
    ...[...(filter.labels ?? []), ...(filter.labelFilters ?? [])].map((label, i) => labelTerm(label, i)),
    ...wordsOf(filter.search ?? '').map((word, i) => searchTerm(foldAscii(word), i)),
    instantTerm('createdAfter', filter.createdAfter, gt),
    instantTerm('createdBefore', filter.createdBefore, lt),
  ].filter((term) => term !== null);
}

export const statusTerm = (status: string): Term => equalTerm('status', status, (t) => t.jobs.status);
export const isOfStatus = ({ shape }: Term): boolean => shape === 'status' || shape === 'any status';

export function equalTerm(name: string, value: string, column: (t: Tables) => AnySQLiteColumn): Term {
  const values = { [name]: value };
  return {
    shape: name,
    values,
    condition: (t, $, { unindexed }) => eq(unindexed(column(t)), $(name)),
    indexed: { shape: `${name} indexed`, values, condition: (t, $) => eq(column(t), $(name)) },
  };
}

const maybeEqual = (name: string, value: Optional<string>, column: (t: Tables) => AnySQLiteColumn): Term | null =>
  value == null ? null : equalTerm(name, value, column);

/** Several words become a list, padded to a fixed size by repeating the last one. */
function wordsTerm(
  name: string,
  words: Optional<readonly string[]>,
  known: readonly string[],
  column: (t: Tables) => AnySQLiteColumn,
): Term | null {
  if (words == null) return null;
  const distinct = [...new Set(words)];
  if (distinct.length === known.length) return null;
  if (distinct.length === 1) return maybeEqual(name, distinct[0], column);
  const names = known.map((_, i) => name + i);
  return {
    shape: `any ${name}`,
    values: Object.fromEntries(names.map((key, i) => [key, distinct[Math.min(i, distinct.length - 1)]])),
    oneOf: distinct.map((word) => equalTerm(name, word, column)),
    condition: (t, $, { unindexed }) =>
      inArray(
        unindexed(column(t)),
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

function labelTerm({ key, value = null, isAbsent }: LabelFilter, i: number): Term {
  return {
    shape: `label${i} ${value === null ? '' : 'value'} ${isAbsent ? 'absent' : ''}`,
    values: { [`key${i}`]: key, ...(value === null ? {} : { [`value${i}`]: value }) },
    condition(t, $) {
      const { key, value: valueColumn } = t.jobLabels;
      const has = hasLabel(t, and(eq(key, $(`key${i}`)), value === null ? undefined : eq(valueColumn, $(`value${i}`))));
      return isAbsent ? not(has) : has;
    },
  };
}

/** A subquery of EXISTS: its columns do not matter. */
const hasLabel = ({ jobs, jobLabels }: Tables, condition: SQL | undefined): SQL =>
  exists(sql`(select 1 from ${jobLabels} where ${and(eq(jobLabels.jobId, jobs.id), condition)})`);

function metricTerm(name: Optional<string>): Term | null {
  if (name == null) return null;
  return {
    shape: 'hasMetric',
    values: { hasMetric: name },
    condition: ({ latestMetrics: latest, jobs }, $) =>
      exists(sql`(select 1 from ${latest} where ${and(eq(latest.jobId, jobs.id), eq(latest.name, $('hasMetric')))})`),
  };
}

function searchTerm(word: string, i: number): Term {
  const name = `word${i}`;
  return {
    shape: name,
    values: { [name]: word },
    condition(t, $, { contains }) {
      const { jobs, jobLabels } = t;
      // No word contains a space.
      const texts = sql`${jobs.name} || ' ' || ${jobs.id} || ' ' || ${jobs.owner} || ' ' || coalesce(${jobs.description}, '')`;
      const label = sql`${jobLabels.key} || '=' || ${jobLabels.value}`;
      const isIn = (text: SQL) => contains(sql`(${text})`, sql`${$(name)}`);
      return or(isIn(texts), hasLabel(t, isIn(label)));
    },
  };
}

/** The statuses that the filter allows. Null: all. */
export function statusesOf({ statuses, notStatuses }: JobFilter): Optional<readonly JobStatus[]> {
  return notStatuses == null ? statuses : (statuses ?? jobStatuses).filter((status) => !notStatuses.includes(status));
}

function instantTerm(name: string, value: Optional<Date>, compare: typeof gt): Term | null {
  if (value == null) return null;
  return { shape: name, values: { [name]: value }, condition: (t, $) => compare(t.jobs.createdAt, $(name, t.jobs.createdAt)) };
}
