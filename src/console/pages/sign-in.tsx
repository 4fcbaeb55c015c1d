import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { setTitle } from '../components/title.ts';
import { enter } from '../streams/session.ts';

/** Asks for a key. It goes to the gateway once, in exchange for a cookie. */
export function SignInPage({ problem }: { readonly problem: string | null }) {
  useEffect(() => setTitle('Sign in'), []);
  const key = useSignal('');
  const isBusy = useSignal(false);
  return (
    <main class="sign-in">
      <h1>Trainyard</h1>
      <p>
        Open the link that <code>npm start</code> printed, or paste a key (<code>tyk_…</code>).
      </p>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          isBusy.value = true;
          await enter(key.value.trim());
          isBusy.value = false;
        }}
      >
        <input
          type="password"
          name="key"
          autocomplete="off"
          aria-label="Key"
          required
          value={key.value}
          onInput={(event) => {
            key.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="main" disabled={isBusy.value}>
          Sign in
        </button>
      </form>
      {problem !== null && (
        <p class="refused" role="alert">
          {problem}
        </p>
      )}
      <p class="muted">The page keeps a cookie for 12 hours, and not the key.</p>
    </main>
  );
}
