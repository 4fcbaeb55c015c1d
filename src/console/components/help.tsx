import { Dialog } from './dialog.tsx';
import { helpIsOpen, keyNames } from './keys.ts';

export function Help() {
  if (!helpIsOpen.value) return null;
  return (
    <Dialog
      label="Keys"
      onClose={() => {
        helpIsOpen.value = false;
      }}
    >
      <h2>Keys</h2>
      <table class="keys">
        <tbody>
          {keyNames.map(([keys, what]) => (
            <tr key={keys}>
              <td>
                {keys.split(' ').map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </td>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </Dialog>
  );
}
