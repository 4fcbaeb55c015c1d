/** The browser's tab: its title, and a mark in its icon, tell how the shown job is. */
import type { JobStatus } from '../generated.ts';

const colours: Partial<Record<JobStatus, string>> = { RUNNING: '#0b5fd0', SUCCEEDED: '#1a7f45', FAILED: '#c4281c' };

export function setTitle(name: string, status?: JobStatus): void {
  const word = status === undefined ? '' : `${status.charAt(0)}${status.slice(1).toLowerCase()} · `;
  document.title = `${word}${name} · Trainyard`;
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  if (!icon) return;
  icon.dataset.plain ??= icon.href;
  const colour = status === undefined ? undefined : colours[status];
  icon.href = colour === undefined ? icon.dataset.plain : `data:image/svg+xml,${encodeURIComponent(disc(colour))}`;
}

const disc = (colour: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${colour}"/></svg>`;
