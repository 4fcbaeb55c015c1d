/** The filter of job lists: the client's filter, within what its key may see. */
import { and, eq, exists, gt, inArray, lt, not, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import { firstId } from '../../domain/core/ids.ts';
import { type JobStatus, jobStatuses } from '../../domain/core/lifecycle.ts';
import { type JobInitiator, type JobType, jobInitiators, jobTypes, type Label } from '../../domain/core/vocabulary.ts';
import type { Optional } from '../optional.ts';
import { isUnusualInitiator, isUnusualType, USUAL_INITIATOR, USUAL_TYPE } from '../schema/jobs.ts';
import type { Tables } from '../schema/tables.ts';
import type { AnyPlaceholder, Term } from '../statements/shapes.ts';

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

/**
 * Rows of another table that name the jobs with something, each job once, in an index by their ids.
 * A list can be read along them.
 */
export interface Source extends Term {
  table(t: Tables): Tables['jobLabels'] | Tables['latestMetrics'];
}

/** A condition on jobs, with the ways to find those that meet it without looking at all. */
export interface JobTerm extends Term {
  /** The same condition, written so that an index of jobs can serve it. */
  readonly indexed?: Term;
  readonly source?: Source;
  /** Conditions of which exactly one holds where this one does. */
  readonly oneOf?: readonly JobTerm[];
  /** Only ids from this one on, or before this one, can meet it. */
  readonly ids?: { readonly from: string } | { readonly before: string };
}

/** Terms that must all hold, or 'none' if it is known without a query that no job matches. */
export type JobCondition = readonly JobTerm[] | 'none';

/** The ids in one query: as many as its statement has, which has one of these sizes. */
const ID_SIZES = [64, 1_024] as const;
export const MOST_IDS = ID_SIZES[1];

/** The condition that the job is one of these: `MOST_IDS` at most. */
export function idsTerm(ids: readonly string[]): Term {
  const size = ID_SIZES.find((size) => size >= ids.length) ?? MOST_IDS;
  const names = Array.from({ length: size }, (_, i) => `id${i}`);
  return {
    shape: `ids ${size}`,
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
const jobTerm = (jobId: string): JobTerm => ({ shape: ONE_JOB, values: { jobId }, condition: (t, $) => eq(t.jobs.id, $('jobId')) });

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
    wordsTerm('status', statuses, jobStatuses, statusTerm),
    wordsTerm('type', types, jobTypes, typeTerm),
    wordsTerm('initiator', initiators, jobInitiators, initiatorTerm),
    maybeEqual('name', filter.name, (t) => t.jobs.name),
    containsTerm(filter.nameContains),
    maybeEqual('owner', filter.owner, (t) => t.jobs.owner),
    maybeEqual('deviceId', filter.deviceId, (t) => t.jobs.deviceId),
    metricTerm(filter.hasMetric),
    ...[...(filter.labels ?? []), ...(filter.labelFilters ?? [])].map((label, i) => labelTerm(label, i)),
    ...wordsOf(filter.search ?? '').map((word, i) => searchTerm(foldAscii(word), i)),
    createdTerm('createdAfter', filter.createdAfter),
    createdTerm('createdBefore', filter.createdBefore),
  ].filter((term) => term !== null);
}

export const statusTerm = (status: string): JobTerm => equalTerm('status', status, (t) => t.jobs.status);
export const isOfStatus = ({ shape }: Term): boolean => shape === 'status' || shape === 'any status';

function equalTerm(name: string, value: string, column: (t: Tables) => AnySQLiteColumn): JobTerm {
  const values = { [name]: value };
  return {
    shape: name,
    values,
    condition: (t, $, { unindexed }) => eq(unindexed(column(t)), $(name)),
    indexed: { shape: `${name} indexed`, values, condition: (t, $) => eq(column(t), $(name)) },
  };
}

const maybeEqual = (name: string, value: Optional<string>, column: (t: Tables) => AnySQLiteColumn): JobTerm | null =>
  value == null ? null : equalTerm(name, value, column);

/** Their indexes are without the usual word, which most jobs have. */
export const typeTerm = (type: JobType): JobTerm =>
  unusualTerm('type', type, { column: (t) => t.jobs.type, isUnusual: (t) => isUnusualType(t.jobs.type), usual: USUAL_TYPE });
const initiatorTerm = (initiator: JobInitiator): JobTerm =>
  unusualTerm('initiator', initiator, {
    column: (t) => t.jobs.initiator,
    isUnusual: (t) => isUnusualInitiator(t.jobs.initiator),
    usual: USUAL_INITIATOR,
  });

interface Unusual {
  column(t: Tables): AnySQLiteColumn;
  isUnusual(t: Tables): SQL;
  readonly usual: string;
}

function unusualTerm(name: string, word: string, { column, isUnusual, usual }: Unusual): JobTerm {
  const { indexed: _, ...term } = equalTerm(name, word, column);
  if (word === usual) return term;
  const { values } = term;
  const isIndexed = (t: Tables, $: AnyPlaceholder) => and(eq(column(t), $(name)), isUnusual(t));
  return { ...term, indexed: { shape: `${name} indexed`, values, condition: isIndexed } };
}

/** Several words become a list, padded to a fixed size by repeating the last one. */
function wordsTerm<W extends string>(
  name: 'status' | 'type' | 'initiator',
  words: Optional<readonly W[]>,
  known: readonly W[],
  termOf: (word: W) => JobTerm,
): JobTerm | null {
  if (words == null) return null;
  const distinct = [...new Set(words)];
  if (distinct.length === known.length) return null;
  const [first] = distinct;
  if (first !== undefined && distinct.length === 1) return termOf(first);
  const names = known.map((_, i) => name + i);
  const values = Object.fromEntries(names.map((key, i) => [key, distinct[Math.min(i, distinct.length - 1)]]));
  const isAny = (column: SQLWrapper, $: AnyPlaceholder) =>
    inArray(
      column,
      names.map((key) => $(key)),
    );
  const shape = `any ${name}`;
  return {
    shape,
    values,
    oneOf: distinct.map(termOf),
    condition: (t, $, { unindexed }) => isAny(unindexed(t.jobs[name]), $),
    // The others have no index of all words.
    ...(name === 'status' ? { indexed: { shape: `${shape} indexed`, values, condition: (t, $) => isAny(t.jobs.status, $) } } : {}),
  };
}

function containsTerm(part: Optional<string>): JobTerm | null {
  if (part == null || part === '') return null;
  return {
    shape: 'nameContains',
    values: { nameContains: foldAscii(part) },
    condition: (t, $, dialect): SQL => dialect.contains(t.jobs.name, $('nameContains')),
  };
}
const foldAscii = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

function labelTerm({ key, value = null, isAbsent }: LabelFilter, i: number): JobTerm {
  const shape = `label${i} ${value === null ? '' : 'value'} ${isAbsent ? 'absent' : ''}`;
  const isLabel = ({ jobLabels }: Tables, $: AnyPlaceholder) =>
    and(eq(jobLabels.key, $(`key${i}`)), value === null ? undefined : eq(jobLabels.value, $(`value${i}`)));
  const values = { [`key${i}`]: key, ...(value === null ? {} : { [`value${i}`]: value }) };
  const term: JobTerm = {
    shape,
    values,
    condition(t, $) {
      const has = hasLabel(t, isLabel(t, $));
      return isAbsent ? not(has) : has;
    },
  };
  return isAbsent ? term : { ...term, source: { shape: `along ${shape}`, values, table: (t) => t.jobLabels, condition: isLabel } };
}

/** A subquery of EXISTS: its columns do not matter. */
const hasLabel = ({ jobs, jobLabels }: Tables, condition: SQL | undefined): SQL =>
  exists(sql`(select 1 from ${jobLabels} where ${and(eq(jobLabels.jobId, jobs.id), condition)})`);

function metricTerm(name: Optional<string>): JobTerm | null {
  if (name == null) return null;
  const values = { hasMetric: name };
  return {
    shape: 'hasMetric',
    values,
    source: {
      shape: 'along hasMetric',
      values,
      table: (t) => t.latestMetrics,
      condition: (t, $) => and(eq(t.latestMetrics.name, $('hasMetric')), isNewest(t)),
    },
    condition: ({ latestMetrics: latest, jobs }, $) =>
      exists(sql`(select 1 from ${latest} where ${and(eq(latest.jobId, jobs.id), eq(latest.name, $('hasMetric')))})`),
  };
}

function searchTerm(word: string, i: number): JobTerm {
  const name = `word${i}`;
  const pieces = piecesOf(word);
  const nameOf = (piece: number) => `${name}-${piece}`;
  return {
    shape: `${name} ${pieces.length}`,
    values: { [name]: word, ...Object.fromEntries(pieces.map((piece, j) => [nameOf(j), piece])) },
    condition(t, $, { contains, text }) {
      const { jobs, jobLabels } = t;
      // No word contains a space.
      const texts = sql`${jobs.name} || ' ' || ${jobs.id} || ' ' || ${jobs.owner} || ' ' || coalesce(${jobs.description}, '')`;
      const label = sql`${jobLabels.key} || '=' || ${jobLabels.value}`;
      const isIn = (text: SQL, name: string) => contains(sql`(${text})`, sql`${$(name)}`);
      const mayHaveLabel = pieces.map((_, j) => isIn(text(jobs.labels), nameOf(j)));
      // Not EXISTS: PostgreSQL would look through all labels, once for each step of a walk.
      const labels = sql`(select count(*) from ${jobLabels} where ${and(eq(jobLabels.jobId, jobs.id), isIn(label, name))})`;
      return or(isIn(texts, name), and(...mayHaveLabel, sql`${labels} > 0`));
    },
  };
}

/**
 * The parts of a word that the JSON of a job's labels has, if a label has the word. To look into it
 * takes a fifth of the time of looking up the labels.
 */
const piecesOf = (word: string): string[] => word.split('=').filter((piece) => piece !== '' && JSON.stringify(piece) === `"${piece}"`);

/** The statuses that the filter allows. Null: all. */
export function statusesOf({ statuses, notStatuses }: JobFilter): Optional<readonly JobStatus[]> {
  return notStatuses == null ? statuses : (statuses ?? jobStatuses).filter((status) => !notStatuses.includes(status));
}

/** Of the values of a metric that several steps of a job reported, the last. */
export function isNewest({ latestMetrics: latest }: Tables): SQL {
  const newer = sql`select 1 from ${latest} as newer
    where newer.job_id = ${latest.jobId} and newer.name = ${latest.name} and newer.seq > ${latest.seq}`;
  return sql`not exists (${newer})`;
}

/**
 * An id begins with the time when it was made, which is when its job was created, by the same
 * clock. If the clock is set back, ids go on from the time that it had shown. So an id may be later
 * than its job, by as much as a clock may be wrong while a machine starts.
 */
const EARLIER_MS = 600_000;
const LATER_MS = 86_400_000;

function createdTerm(name: 'createdAfter' | 'createdBefore', value: Optional<Date>): JobTerm | null {
  if (value == null) return null;
  const compare = name === 'createdAfter' ? gt : lt;
  const ms = value.getTime();
  return {
    shape: name,
    values: { [name]: value },
    condition: (t, $) => compare(t.jobs.createdAt, $(name, t.jobs.createdAt)),
    ids: name === 'createdAfter' ? { from: firstId('Job', ms - EARLIER_MS) } : { before: firstId('Job', ms + LATER_MS) },
  };
}
