/** What the list of jobs shows: its filter, order and columns, as they stand in the address. */
import { jobStatuses } from '../../format/job-statuses.ts';
import type { JobFilter, JobOrder, JobOrderField, JobStatus } from '../../generated.ts';

export interface JobsView {
  readonly statuses: readonly JobStatus[];
  readonly search: string;
  /** `key=value`, or `key` for any value. */
  readonly labels: readonly string[];
  readonly owner: string | null;
  readonly deviceId: string | null;
  readonly experimentId: string | null;
  readonly applicationId: string | null;
  readonly createdAfter: string | null;
  readonly createdBefore: string | null;
  readonly order: JobOrder;
  /** The columns of metrics. Null: none was chosen, the page chooses. */
  readonly metrics: readonly string[] | null;
}

const isStatus = (word: string): word is JobStatus => jobStatuses.some((status) => status === word);

/** Names of orders in the address. `metric:loss` is one as well. */
const fieldsByName: Readonly<Record<string, JobOrderField>> = {
  created: 'CREATED_AT',
  name: 'NAME',
  started: 'STARTED_AT',
  finished: 'FINISHED_AT',
  duration: 'DURATION',
  updated: 'UPDATED_AT',
  priority: 'PRIORITY',
};

const newestFirst: JobOrder = { field: 'CREATED_AT', direction: 'DESC' };

/** Parameters of the address that have one value, and what they are here. */
const single = {
  owner: 'owner',
  device: 'deviceId',
  experiment: 'experimentId',
  application: 'applicationId',
} as const satisfies Record<string, keyof JobsView>;

export type SingleParameter = keyof typeof single;

export function readView(query: URLSearchParams): JobsView {
  const metrics = query.getAll('metrics');
  return {
    statuses: [...new Set(query.getAll('status').flatMap((value) => value.toUpperCase().split(',')))].filter(isStatus),
    search: query.get('search') ?? '',
    labels: [...new Set(query.getAll('label'))],
    owner: query.get('owner'),
    deviceId: query.get('device'),
    experimentId: query.get('experiment'),
    applicationId: query.get('application'),
    createdAfter: readTime(query.get('after')),
    createdBefore: readTime(query.get('before')),
    order: readOrder(query.get('order') ?? '', query.get('direction')),
    metrics: metrics.length === 0 ? null : [...new Set(metrics.flatMap((names) => names.split(',')))].filter((name) => name !== ''),
  };
}

const anything = () => true;
const isTime = (text: string) => readTime(text) !== null;
/** The parameters of the address, and which values of them mean something. */
const parameters: Readonly<Record<string, (value: string) => boolean>> = {
  status: (value) => value.toUpperCase().split(',').every(isStatus),
  ...{ search: anything, label: anything, metrics: anything },
  ...Object.fromEntries(Object.keys(single).map((name) => [name, anything])),
  ...{ after: isTime, before: isTime },
  order: (value) => value in fieldsByName || value.startsWith('metric:'),
  direction: (value) => value === 'asc' || value === 'desc',
};

/** The parts of the address that mean nothing here, as they stand in it. */
export const leftOut = (query: URLSearchParams): string[] =>
  [...query].filter(([name, value]) => !parameters[name]?.(value)).map(([name, value]) => `${name}=${value}`);

function readTime(text: string | null): string | null {
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

function readOrder(name: string, direction: string | null): JobOrder {
  const metric = /^metric:(.+)$/s.exec(name)?.[1];
  const field = metric === undefined ? fieldsByName[name] : 'METRIC';
  if (field === undefined) return direction === 'asc' ? { ...newestFirst, direction: 'ASC' } : newestFirst;
  return { field, direction: direction === 'asc' ? 'ASC' : 'DESC', ...(metric !== undefined && { metric }) };
}

/** The address of this view. */
export function writeView(view: JobsView): string {
  const query = new URLSearchParams();
  for (const status of view.statuses) query.append('status', status);
  for (const label of view.labels) query.append('label', label);
  for (const [name, field] of Object.entries(single)) {
    const value = view[field];
    if (value !== null) query.append(name, value);
  }
  if (view.createdAfter !== null) query.append('after', view.createdAfter);
  if (view.createdBefore !== null) query.append('before', view.createdBefore);
  if (view.search !== '') query.append('search', view.search);
  const { field, direction, metric } = view.order;
  const name = field === 'METRIC' ? `metric:${metric}` : Object.keys(fieldsByName).find((key) => fieldsByName[key] === field);
  if (name !== undefined && name !== 'created') query.append('order', name);
  if (direction === 'ASC') query.append('direction', 'asc');
  if (view.metrics !== null) query.append('metrics', view.metrics.join(','));
  const text = query.toString();
  return text === '' ? '/jobs' : `/jobs?${text}`;
}

/** The filter of the view. Undefined values are left out of the request. */
export function filterOf(view: JobsView): JobFilter {
  return {
    ...(view.statuses.length > 0 && { statuses: view.statuses }),
    ...(view.search !== '' && { search: view.search }),
    ...(view.labels.length > 0 && { labelFilters: view.labels.map(readLabel) }),
    ...(view.owner !== null && { owner: view.owner }),
    ...(view.deviceId !== null && { deviceId: view.deviceId }),
    ...(view.experimentId !== null && { experimentId: view.experimentId }),
    ...(view.applicationId !== null && { applicationId: view.applicationId }),
    ...(view.createdAfter !== null && { createdAfter: view.createdAfter }),
    ...(view.createdBefore !== null && { createdBefore: view.createdBefore }),
  };
}

function readLabel(label: string): { readonly key: string; readonly value?: string } {
  const end = label.indexOf('=');
  return end < 0 ? { key: label } : { key: label.slice(0, end), value: label.slice(end + 1) };
}

/** Whether anything but the order and the columns is chosen. */
export const isFiltered = (view: JobsView): boolean => Object.keys(filterOf(view)).length > 0;

/** The same columns and order, without a filter. */
export const withoutFilter = (view: JobsView): JobsView => ({
  ...readView(new URLSearchParams()),
  order: view.order,
  metrics: view.metrics,
});

/** The view with one more or one less of a status. */
export function toggleStatus(view: JobsView, status: JobStatus): JobsView {
  const isOn = view.statuses.includes(status);
  return { ...view, statuses: isOn ? view.statuses.filter((other) => other !== status) : [...view.statuses, status] };
}

/** Something that the list is filtered by, with the view that is left without it. */
export interface Chip {
  readonly token: string;
  readonly value: string;
  readonly without: JobsView;
}

export function chipsOf(view: JobsView): Chip[] {
  const chips: Chip[] = view.statuses.map((status) => ({ token: 'status', value: status, without: toggleStatus(view, status) }));
  for (const label of view.labels) {
    chips.push({ token: 'label', value: label, without: { ...view, labels: view.labels.filter((other) => other !== label) } });
  }
  for (const [token, field] of Object.entries(single)) {
    const value = view[field];
    if (value !== null) chips.push({ token, value, without: { ...view, [field]: null } });
  }
  if (view.createdAfter !== null) chips.push({ token: 'after', value: view.createdAfter, without: { ...view, createdAfter: null } });
  if (view.createdBefore !== null) chips.push({ token: 'before', value: view.createdBefore, without: { ...view, createdBefore: null } });
  return chips;
}

/** What can be written before a colon in the search field. */
export const tokens = ['status', 'label', ...Object.keys(single), 'after', 'before'] as const;

/** `label:team=vision`, `label:"two words"`: a token, and its value without quotes. */
const TOKEN = /(?<=^|\s)(\w+):(?:"([^"]*)"|(\S+))(?=\s|$)/g;

/**
 * Takes the tokens out of the text of the search field. What is left is searched for. A token with
 * a value that makes no sense stays in the text.
 */
export function takeTokens(view: JobsView, text: string): { readonly view: JobsView; readonly rest: string } {
  let taken = view;
  const rest = text.replaceAll(TOKEN, (whole, token: string, quoted: string | undefined, bare: string | undefined) => {
    const next = withToken(taken, token.toLowerCase(), quoted ?? bare ?? '');
    if (next === null) return whole;
    taken = next;
    return '';
  });
  return { view: taken, rest: rest.replaceAll(/\s+/g, ' ').trim() };
}

function withToken(view: JobsView, token: string, value: string): JobsView | null {
  if (value === '') return null;
  if (token === 'status') {
    const status = value.toUpperCase();
    if (!isStatus(status)) return null;
    return view.statuses.includes(status) ? view : toggleStatus(view, status);
  }
  if (token === 'label') return view.labels.includes(value) ? view : { ...view, labels: [...view.labels, value] };
  if (token === 'after' || token === 'before') {
    const time = readTime(value);
    return time === null ? null : { ...view, [token === 'after' ? 'createdAfter' : 'createdBefore']: time };
  }
  const field = isSingle(token) ? single[token] : undefined;
  return field === undefined ? null : { ...view, [field]: value };
}

/** The conditions of a view that are ids, where names may have been written. */
export function namesIn(view: JobsView): { readonly token: 'device' | 'experiment' | 'application'; readonly name: string }[] {
  return (['device', 'experiment', 'application'] as const).flatMap((token) => {
    const name = view[single[token]];
    return name === null || /^[a-z]+_[0-9a-z]{26}$/.test(name) ? [] : [{ token, name }];
  });
}

/** The view with another value of one condition. */
export const withSingle = (view: JobsView, token: SingleParameter, value: string): JobsView => ({ ...view, [single[token]]: value });

const isSingle = (token: string): token is SingleParameter => token in single;

/** Written so that it is read as one token. */
export const writeToken = (token: string, value: string): string => `${token}:${/\s/.test(value) ? `"${value}"` : value}`;
