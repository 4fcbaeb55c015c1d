/** The key behind the session, and what it may do. */
import { signal } from '@preact/signals';
import { ViewerDocument, type ViewerQuery } from '../generated.ts';
import { gateway } from './gateway.ts';

export const viewer = signal<ViewerQuery['viewer'] | undefined>(undefined);

export async function readViewer(): Promise<void> {
  viewer.value = (await gateway.request(ViewerDocument, {})).viewer;
}

/** Whether the viewer may create and change jobs, files and devices. */
export const mayEdit = (): boolean => viewer.value?.role === 'ADMIN' || viewer.value?.role === 'EDITOR';
