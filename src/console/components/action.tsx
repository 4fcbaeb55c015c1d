/** Buttons that change something. They show the gateway's own refusal where they stand. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';

interface ActionProps {
  readonly children: ComponentChildren;
  /** Rejects with the refusal. */
  run(): Promise<unknown>;
  /** Asked in place before it runs, with the name of what it ends: `Cancel mnist-resnet?` */
  readonly question?: string;
  /** The button that says yes to the question: `Cancel job` */
  readonly yes?: string;
  readonly isDangerous?: boolean;
  readonly isMain?: boolean;
  /** Why it cannot be used now. */
  readonly disabled?: string | undefined;
}

export function Action({ children, run, question, yes, isDangerous = false, isMain = false, disabled }: ActionProps) {
  const state = useSignal<'idle' | 'asks' | 'runs'>('idle');
  const problem = useSignal<string | null>(null);
  const start = async () => {
    state.value = 'runs';
    problem.value = null;
    try {
      await run();
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
    state.value = 'idle';
  };
  if (state.value === 'asks')
    return (
      // biome-ignore lint/a11y/useSemanticElements: a fieldset stands on a line of its own
      <span class="asks" role="group" aria-label={question}>
        <span>{question}</span>
        {/* biome-ignore lint/a11y/noAutofocus: the question replaced the button that had the focus */}
        <button type="button" class={isDangerous ? 'danger' : 'main'} onClick={() => void start()} autoFocus>
          {yes ?? 'Yes'}
        </button>
        <button
          type="button"
          onClick={() => {
            state.value = 'idle';
          }}
        >
          No
        </button>
      </span>
    );
  return (
    <span class="action">
      <button
        type="button"
        class={isDangerous ? 'danger' : isMain ? 'main' : undefined}
        disabled={disabled !== undefined || state.value === 'runs'}
        title={disabled}
        onClick={() => {
          if (question === undefined) void start();
          else state.value = 'asks';
        }}
      >
        {children}
      </button>
      {problem.value !== null && (
        <span class="refused" role="alert">
          {problem.value}
        </span>
      )}
    </span>
  );
}
