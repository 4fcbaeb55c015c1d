/** Light or dark: the system's choice, until the viewer makes one. */
const KEPT = 'trainyard.theme';

export function applyTheme(): void {
  const chosen = localStorage.getItem(KEPT);
  document.documentElement.dataset.theme = chosen === 'light' || chosen === 'dark' ? chosen : '';
}

export function toggleTheme(): void {
  const isDark =
    getComputedStyle(document.documentElement).colorScheme === 'dark' ||
    (document.documentElement.dataset.theme === '' && matchMedia('(prefers-color-scheme: dark)').matches);
  localStorage.setItem(KEPT, isDark ? 'light' : 'dark');
  applyTheme();
}
