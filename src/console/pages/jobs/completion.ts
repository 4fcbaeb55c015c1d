/** What the search field proposes for the word that is being written. */
import { jobStatuses } from '../../format/job-statuses.ts';
import {
  ApplicationsToFilterByDocument,
  DevicesToFilterByDocument,
  ExperimentsToFilterByDocument,
  LabelKeysOfJobsDocument,
  LabelValuesOfJobsDocument,
  OwnersOfJobsDocument,
} from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';
import { type JobsView, namesIn, tokens, withSingle, writeToken } from './view.ts';

export interface Proposal {
  /** Takes the place of the word. */
  readonly text: string;
  readonly shown: string;
  /** Whether the word is complete with it. */
  readonly isWhole: boolean;
}

const MOST_PROPOSALS = 12;

/** The word at the end of the text. A quote that is open is part of it. */
export const lastWord = (text: string): string => /(?:\w+:"[^"]*|\S+)$/.exec(text)?.[0] ?? '';

/** Whether the word is a token of which the value is still being written. */
export const isToken = (word: string): boolean => tokens.some((token) => word.toLowerCase().startsWith(`${token}:`));

export async function propose(word: string, signal: AbortSignal): Promise<Proposal[]> {
  const [, token = '', value = ''] = /^(\w+):"?(.*)$/s.exec(word) ?? [];
  const found = isToken(word) ? await proposeValues(token.toLowerCase(), value, signal) : proposeTokens(word);
  return found.slice(0, MOST_PROPOSALS);
}

const proposeTokens = (word: string): Proposal[] =>
  tokens
    .filter((token) => token.startsWith(word.toLowerCase()))
    .map((token) => ({ text: `${token}:`, shown: `${token}:`, isWhole: false }));

async function proposeValues(token: string, value: string, signal: AbortSignal): Promise<Proposal[]> {
  const whole = (name: string, id = name): Proposal => ({ text: writeToken(token, id), shown: name, isWhole: true });
  const isLike = (name: string) => name.toLowerCase().includes(value.toLowerCase());
  switch (token) {
    case 'status':
      return jobStatuses
        .map((status) => status.toLowerCase())
        .filter((status) => status.startsWith(value.toLowerCase()))
        .map((name) => whole(name));
    case 'label':
      return proposeLabels(value, signal);
    case 'owner': {
      const { jobCounts } = await gateway.request(OwnersOfJobsDocument, {}, { signal });
      return jobCounts.filter(({ key }) => isLike(key)).map(({ key }) => whole(key));
    }
    case 'device':
    case 'experiment':
    case 'application':
      return (await named[token](signal)).filter(({ name }) => isLike(name)).map(({ id, name }) => whole(name, id));
    default:
      return proposeDays(token, value);
  }
}

/** What jobs are filtered by with its id, and people know by its name. */
const named = {
  device: async (signal: AbortSignal) => (await gateway.request(DevicesToFilterByDocument, {}, { signal })).devices.nodes,
  experiment: async (signal: AbortSignal) => (await gateway.request(ExperimentsToFilterByDocument, {}, { signal })).experiments.nodes,
  application: async (signal: AbortSignal) => (await gateway.request(ApplicationsToFilterByDocument, {}, { signal })).applications.nodes,
};

/** The view with the ids of what was written by its name. A name that nothing has stays. */
export async function withIds(view: JobsView, signal: AbortSignal): Promise<JobsView> {
  let found = view;
  for (const { token, name } of namesIn(view)) {
    const one = (await named[token](signal)).find((other) => other.name.toLowerCase() === name.toLowerCase());
    if (one) found = withSingle(found, token, one.id);
  }
  return found;
}

async function proposeLabels(label: string, signal: AbortSignal): Promise<Proposal[]> {
  const end = label.indexOf('=');
  if (end < 0) {
    const { labelKeys } = await gateway.request(LabelKeysOfJobsDocument, { prefix: label }, { signal });
    return labelKeys.map((key) => ({ text: openToken('label', `${key}=`), shown: `${key}=`, isWhole: false }));
  }
  const key = label.slice(0, end);
  const { labelValues } = await gateway.request(LabelValuesOfJobsDocument, { key, prefix: label.slice(end + 1) }, { signal });
  return labelValues.map((value) => ({ text: writeToken('label', `${key}=${value}`), shown: `${key}=${value}`, isWhole: true }));
}

/** Not closed yet, if it needs quotes. */
const openToken = (token: string, value: string): string => `${token}:${/\s/.test(value) ? `"${value}` : value}`;

const DAYS = [
  ['today', 0],
  ['yesterday', 1],
  ['7 days ago', 7],
  ['30 days ago', 30],
] as const;

/** Midnights, in the viewer's time zone. */
function proposeDays(token: string, value: string): Proposal[] {
  return DAYS.map(([name, ago]) => {
    const day = new Date();
    day.setHours(0, 0, 0, 0);
    day.setDate(day.getDate() - ago);
    return { text: writeToken(token, day.toISOString()), shown: `${name} (${day.toLocaleDateString('en-CA')})`, isWhole: true };
  }).filter(({ shown }) => shown.includes(value));
}
