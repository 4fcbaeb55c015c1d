import { useSignal } from '@preact/signals';
import { shortenId } from '../format/ids.ts';

const SHOWN_MS = 1_200;

function useCopy(text: string) {
  const isCopied = useSignal(false);
  const copy = () => {
    // Without TLS, only pages of this machine may use the clipboard.
    void navigator.clipboard?.writeText(text).then(() => {
      isCopied.value = true;
      setTimeout(() => {
        isCopied.value = false;
      }, SHOWN_MS);
    });
  };
  return { isCopied, copy };
}

/** An id, shortened in the middle. A click copies it whole. */
export function Id({ id }: { readonly id: string }) {
  const { isCopied, copy } = useCopy(id);
  return (
    <button type="button" class="id" title={`Copy ${id}`} onClick={copy}>
      {isCopied.value ? 'copied' : shortenId(id)}
    </button>
  );
}

/** A command for a terminal, with a button that copies it. */
export function Command({ children }: { readonly children: string }) {
  const { isCopied, copy } = useCopy(children);
  return (
    <div class="cmd">
      <code>{children}</code>
      <button type="button" onClick={copy}>
        {isCopied.value ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}
