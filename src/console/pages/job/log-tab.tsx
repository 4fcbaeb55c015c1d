/** The log: a fold for each attempt of each step. The one that runs, or that failed, is open. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Action } from '../../components/action.tsx';
import { addKeys } from '../../components/keys.ts';
import { Empty } from '../../components/panel.tsx';
import { Status, wordOf } from '../../components/status.tsx';
import { Took } from '../../components/time.tsx';
import { formatCount, plural } from '../../format/numbers.ts';
import type { AttemptFieldsFragment, JobStepFieldsFragment } from '../../generated.ts';
import { LogSource, type Match, MOST_MATCHES } from '../../log/log-source.ts';
import { copyLines, LogView } from '../../log/log-view.tsx';
import type { LiveJob } from './job.tsx';
import { readPlace, writePlace } from './log-place.ts';

interface Fold {
  readonly step: JobStepFieldsFragment;
  readonly attempt: AttemptFieldsFragment;
}

export function LogTab({ job }: { readonly job: LiveJob }) {
  const folds = job.steps.flatMap((step) => step.attempts.map((attempt): Fold => ({ step, attempt })));
  const place = useSignal(readPlace(location.hash));
  useEffect(() => {
    const onHash = () => {
      place.value = readPlace(location.hash);
    };
    addEventListener('hashchange', onHash);
    return () => removeEventListener('hashchange', onHash);
  }, [place]);
  const wanted = folds.find(({ step, attempt }) => step.number === place.value?.step && attempt.number === place.value.attempt);
  const open = useSignal<string | null>(null);
  const first = wanted ?? chooseFold(folds);
  const opened = folds.find((fold) => keyOf(fold) === (open.value ?? (first && keyOf(first))));
  // A link to another line opens its fold.
  useEffect(() => {
    if (wanted) open.value = keyOf(wanted);
  }, [place.value]);
  const neighbours = useRef<() => readonly [previous: Fold | undefined, next: Fold | undefined]>(() => [undefined, undefined]);
  neighbours.current = () => {
    const place = opened ? folds.indexOf(opened) : -1;
    return [folds[place - 1], folds[place + 1]];
  };
  useEffect(() => {
    const go = (side: 0 | 1) => () => {
      const fold = neighbours.current()[side];
      if (fold) open.value = keyOf(fold);
    };
    return addKeys({ '[': go(0), ']': go(1) });
  }, [open]);
  if (folds.length === 0) return <Empty>No step has begun, so there is no log yet.</Empty>;
  return (
    <div class="log">
      {folds.map((fold) => {
        const isOpen = fold === opened;
        const key = keyOf(fold);
        return (
          <section key={key}>
            <FoldHead
              fold={fold}
              isOpen={isOpen}
              onToggle={() => {
                open.value = isOpen ? '' : key;
              }}
            />
            {isOpen && <AttemptLog jobId={job.id} fold={fold} />}
          </section>
        );
      })}
    </div>
  );
}

const keyOf = ({ step, attempt }: Fold): string => `${step.number}.${attempt.number}`;

/** What is looked at first: what runs, else what failed, else the last. */
function chooseFold(folds: readonly Fold[]): Fold | undefined {
  return (
    folds.findLast(({ attempt }) => attempt.outcome === 'RUNNING') ??
    folds.findLast(({ attempt }) => attempt.outcome === 'FAILED' || attempt.outcome === 'LOST') ??
    folds.at(-1)
  );
}

function FoldHead({ fold: { step, attempt }, isOpen, onToggle }: { readonly fold: Fold; readonly isOpen: boolean; onToggle(): void }) {
  const isOnly = step.attempts.length === 1;
  return (
    <button type="button" class="fold" aria-expanded={isOpen} onClick={onToggle}>
      <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>
      <Status status={attempt.outcome}>
        {step.name}
        {!isOnly && ` · attempt ${attempt.number}`}
      </Status>
      <span class="muted">
        {isOnly && attempt.finishedAt && `${plural(step.logLines, 'line')} · `}
        {wordOf(attempt.outcome).toLowerCase()} {attempt.finishedAt ? 'after' : 'for'}{' '}
        <Took from={attempt.claimedAt} to={attempt.finishedAt} />
        {attempt.description ? ` · ${attempt.description}` : attempt.exitCode ? ` · exit code ${attempt.exitCode}` : ''}
      </span>
      {attempt.device && <span class="muted wide fold-device">{attempt.device.name}</span>}
    </button>
  );
}

function AttemptLog({ jobId, fold: { step, attempt } }: { readonly jobId: string; readonly fold: Fold }) {
  const isRunning = attempt.outcome === 'RUNNING';
  const source = useMemo(
    () => new LogSource({ jobId, stepId: step.id, stepNumber: step.number, attempt: attempt.number }),
    [jobId, step.id, step.number, attempt.number],
  );
  useEffect(() => {
    void source.open(isRunning);
    return () => source.close();
  }, [source]);
  const place = readPlace(location.hash);
  const isHere = place?.step === step.number && place.attempt === attempt.number;
  const chosen = useSignal<readonly [number, number] | null>(isHere && place.from !== null ? [place.from, place.to ?? place.from] : null);
  const wraps = useSignal(true);
  const showsTime = useSignal(false);
  const follows = useSignal(chosen.value === null);
  const find = useSignal('');
  const matches = useSignal<readonly Match[]>([]);
  const isSearched = useSignal(true);
  const at = useSignal(0);

  useEffect(() => {
    const text = find.value.trim();
    matches.value = [];
    if (text === '') return;
    const stop = new AbortController();
    isSearched.value = false;
    const timer = setTimeout(() => {
      source
        .search(text, stop.signal, (found, isAll) => {
          matches.value = [...found];
          isSearched.value = isAll;
        })
        .catch(() => {
          isSearched.value = true;
        });
    }, 150);
    at.value = 0;
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [source, find.value, matches, isSearched, at]);

  useEffect(
    () =>
      addKeys({
        f: () => {
          follows.value = !follows.value;
        },
      }),
    [follows],
  );
  const goOn = (by: number) => {
    const { length } = matches.value;
    if (length > 0) at.value = (at.value + by + length) % length;
  };
  const match = matches.value[at.value]?.line ?? null;
  return (
    <>
      <div class="tools">
        <search class="find">
          <input
            type="search"
            placeholder="Find in the whole log"
            aria-label="Find in the whole log"
            value={find.value}
            maxLength={200}
            onInput={(event) => {
              find.value = event.currentTarget.value;
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter') goOn(event.shiftKey ? -1 : 1);
            }}
          />
          {find.value.trim() !== '' && (
            <span class="faint" role="status">
              {matches.value.length === 0
                ? isSearched.value
                  ? 'nothing'
                  : 'searching …'
                : `${formatCount(at.value + 1)} of ${formatCount(matches.value.length)}${matches.value.length >= MOST_MATCHES ? ' or more' : isSearched.value ? '' : ' …'}`}
            </span>
          )}
        </search>
        <span class="grow" />
        <Toggle isOn={wraps}>Wrap</Toggle>
        <Toggle isOn={showsTime}>Time</Toggle>
        {chosen.value && (
          <button type="button" onClick={() => chosen.value && void navigator.clipboard?.writeText(copyLines(source, chosen.value))}>
            Copy lines
          </button>
        )}
        <Action run={() => openRaw(source, `${step.name}-${attempt.number}.log`)}>Raw</Action>
        {isRunning && <Toggle isOn={follows}>Follow</Toggle>}
      </div>
      <LogView
        source={source}
        options={{ wraps: wraps.value, showsTime: showsTime.value, follows: follows.value }}
        onFollow={(value) => {
          follows.value = value;
        }}
        chosen={chosen.value}
        onChoose={(from, to) => {
          chosen.value = [from, to];
          writePlace({ step: step.number, attempt: attempt.number, from, to });
        }}
        linkOf={(line) => `#s${step.number}a${attempt.number}L${line}`}
        matches={matches.value}
        match={match}
      />
    </>
  );
}

/** Saves the whole log, as it was written, as a file. */
async function openRaw(source: LogSource, name: string): Promise<void> {
  const url = URL.createObjectURL(await source.readAll());
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, '_');
  link.click();
  URL.revokeObjectURL(url);
}

function Toggle({ isOn, children }: { readonly isOn: { value: boolean }; readonly children: string }) {
  return (
    <button
      type="button"
      class={isOn.value ? 'on' : undefined}
      aria-pressed={isOn.value}
      onClick={() => {
        isOn.value = !isOn.value;
      }}
    >
      {children}
    </button>
  );
}
