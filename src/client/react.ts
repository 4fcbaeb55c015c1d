/** The hook for React. */
import { useEffect, useRef, useState } from 'react';
import { createUseStream } from './use-stream.ts';

export type { Reducer, Stream, UseStream } from './use-stream.ts';
export const useStream = createUseStream({ useEffect, useRef, useState });
