/** The hook for Preact. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { createUseStream } from './use-stream.ts';

export type { Reducer, Stream, UseStream } from './use-stream.ts';
export const useStream = createUseStream({ useEffect, useRef, useState });
