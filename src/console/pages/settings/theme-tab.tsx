import { useSignal } from '@preact/signals';
import { chooseTheme, chosenTheme, type Theme } from '../../components/theme.ts';

const themes: readonly (readonly [theme: Theme, name: string, what: string])[] = [
  ['system', 'As the system', 'Light or dark, as the system says.'],
  ['light', 'Light', 'Always light.'],
  ['dark', 'Dark', 'Always dark.'],
];

export function ThemeTab() {
  const chosen = useSignal(chosenTheme());
  return (
    <fieldset class="themes">
      <legend>Theme of this browser</legend>
      {themes.map(([theme, name, what]) => (
        <label key={theme}>
          <input
            type="radio"
            name="theme"
            checked={chosen.value === theme}
            onChange={() => {
              chosen.value = theme;
              chooseTheme(theme);
            }}
          />
          {name} <span class="muted">{what}</span>
        </label>
      ))}
      <p class="muted">
        The key <kbd>t</kbd> changes between light and dark.
      </p>
    </fieldset>
  );
}
