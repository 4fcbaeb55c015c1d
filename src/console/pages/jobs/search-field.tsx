/** One field for words and for tokens such as `status:failed`, with what is chosen beside it. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatExact } from '../../format/time.ts';
import { NamesOfFilterDocument } from '../../generated.ts';
import { useQuery } from '../../streams/query.ts';
import { isToken, lastWord, type Proposal, propose } from './completion.ts';
import { chipsOf, type JobsView, takeTokens, writeView } from './view.ts';

/** Typing rests this long before the list is filtered by what was typed. */
const REST_MS = 200;
const PROPOSE_MS = 80;

interface SearchFieldProps {
  readonly view: JobsView;
  /** Replaces the address while words are typed: the way back leads to what was before them. */
  onChange(view: JobsView, isTyping: boolean): void;
}

/** What is searched for: all of the text but a token that is still being written. */
const wordsOf = (text: string): string => {
  const word = lastWord(text);
  return (isToken(word) ? text.slice(0, -word.length) : text).replaceAll(/\s+/g, ' ').trim();
};

export function SearchField({ view, onChange }: SearchFieldProps) {
  const text = useSignal(view.search);
  const proposals = useSignal<readonly Proposal[]>([]);
  const at = useSignal(-1);
  const isOpen = useSignal(false);
  const typed = text.value;

  // The address has changed otherwise: a link, or the way back.
  useEffect(() => {
    if (wordsOf(text.peek()) !== view.search) text.value = view.search;
  }, [view.search, text]);

  useEffect(() => {
    if (wordsOf(typed) === view.search) return;
    const timer = setTimeout(() => onChange({ ...view, search: wordsOf(typed) }, true), REST_MS);
    return () => clearTimeout(timer);
  }, [typed]);

  useEffect(() => {
    if (!isOpen.value) return;
    const stop = new AbortController();
    const show = async () => {
      const found = await propose(lastWord(typed), stop.signal).catch(() => []);
      if (stop.signal.aborted) return;
      proposals.value = found;
      at.value = -1;
    };
    const timer = setTimeout(() => void show(), PROPOSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [typed, isOpen.value]);

  const take = (written: string) => {
    const { view: taken, rest } = takeTokens(view, written);
    text.value = rest === '' || !/\s$/.test(written) ? rest : `${rest} `;
    const next = { ...taken, search: wordsOf(rest) };
    if (writeView(next) !== writeView(view)) onChange(next, false);
  };
  const accept = ({ text: proposed, isWhole }: Proposal) => {
    const before = typed.slice(0, typed.length - lastWord(typed).length) + proposed;
    if (isWhole) take(`${before} `);
    else text.value = before;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const proposal = proposals.value[at.value];
    if (event.key === 'ArrowDown') at.value = Math.min(proposals.value.length - 1, at.value + 1);
    else if (event.key === 'ArrowUp') at.value = Math.max(-1, at.value - 1);
    else if (event.key === 'Enter' && isOpen.value && proposal) accept(proposal);
    else if (event.key === 'Enter') {
      take(typed);
      isOpen.value = false;
    } else if (event.key === 'Escape' && isOpen.value) isOpen.value = false;
    else return;
    event.preventDefault();
  };
  const isShown = isOpen.value && proposals.value.length > 0;
  return (
    <search class="job-search">
      <input
        type="text"
        placeholder="Filter: words, status:failed, label:team=vision"
        aria-label="Filter jobs by words or tokens such as status:failed"
        role="combobox"
        aria-expanded={isShown}
        aria-controls="job-proposals"
        aria-activedescendant={isShown && at.value >= 0 ? `job-proposal-${at.value}` : undefined}
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => {
          const { value } = event.currentTarget;
          isOpen.value = true;
          if (/\s$/.test(value) && takeTokens(view, value).rest !== value.replaceAll(/\s+/g, ' ').trim()) take(value);
          else text.value = value;
        }}
        onFocus={() => {
          isOpen.value = true;
        }}
        onBlur={() => {
          isOpen.value = false;
        }}
        onKeyDown={onKeyDown}
      />
      <div id="job-proposals" role="listbox" aria-label="Proposals" hidden={!isShown}>
        {proposals.value.map((proposal, index) => (
          <div
            key={proposal.text}
            id={`job-proposal-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at.value}
            // Before the field loses the focus.
            onMouseDown={(event) => {
              event.preventDefault();
              accept(proposal);
            }}
          >
            {proposal.shown}
          </div>
        ))}
      </div>
    </search>
  );
}

/** What the list is filtered by. Each can be taken away. */
export function Chips({ view }: { readonly view: JobsView }) {
  const chips = chipsOf(view);
  const ids = [view.deviceId, view.experimentId, view.applicationId].filter((id) => id !== null);
  const { data } = useQuery(NamesOfFilterDocument, ids.length > 0 ? { ids } : null);
  // A filter by something that is not there, or not for this key, finds nothing: say why.
  const missing = new Set(data.value ? ids.filter((_, i) => !data.value?.nodes[i]) : []);
  const names = new Map(data.value?.nodes.flatMap((node) => (node && 'name' in node ? [[node.id, node.name] as const] : [])));
  if (chips.length === 0) return null;
  return (
    <ul class="chips" aria-label="Filters">
      {chips.map(({ token, value, without }) => {
        const shown = token === 'after' || token === 'before' ? formatExact(value) : (names.get(value) ?? value);
        return (
          <li key={`${token}:${value}`} class="chip">
            <span class="faint">{token}</span> <span class="ellipsis">{shown}</span>
            {missing.has(value) && <span class="muted">(there is no such {token})</span>}
            <a href={writeView(without)} aria-label={`Remove the filter ${token} ${shown}`}>
              ✕
            </a>
          </li>
        );
      })}
    </ul>
  );
}
