/** What the browser's tests run in a page: a client, whose streams write down what they deliver. */
import { h, render } from 'preact';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { type Client, type ClientOptions, type Connection, createClient, RequestRefused, typed } from '../../src/client/index.ts';
import { useStream as usePreactStream } from '../../src/client/preact.ts';
import { useStream as useReactStream } from '../../src/client/react.ts';

export interface LogData {
  readonly log: { readonly chunks: readonly { readonly text: string }[] };
}

/** What one stream has shown so far. */
export interface Seen {
  lines: string[];
  /** `ended`, or the code of its refusal. */
  end: string | null;
}

export interface Harness {
  connect(options: ClientOptions): void;
  /** Follows the log of a job under a name. */
  follow(name: string, jobId: string): void;
  /** Shows the log of a job in an element of this id. */
  show(library: 'preact' | 'react', id: string, jobId: string): void;
  askName(jobId: string): Promise<string>;
  readonly seen: Record<string, Seen>;
  readonly states: string[];
  readonly connection: Connection;
}

declare global {
  var harness: Harness;
}

const log = typed<LogData, { jobId: string }>(
  'subscription ($jobId: ID!, $after: Cursor) { log(jobId: $jobId, after: $after) { cursor state chunks { text } } }',
);
const jobName = typed<{ job: { name: string } }, { jobId: string }>('query ($jobId: ID!) { job(id: $jobId) { name } }');

let client: Client;
const seen: Record<string, Seen> = {};
const states: string[] = [];
const linesOf = ({ chunks }: LogData['log']) => chunks.map(({ text }) => text.trimEnd());

async function readInto(one: Seen, jobId: string): Promise<void> {
  try {
    for await (const frame of client.subscribe(log, { jobId })) one.lines.push(...linesOf(frame));
    one.end = 'ended';
  } catch (error) {
    one.end = error instanceof RequestRefused ? error.code : String(error);
  }
}

const collecting = {
  initial: '',
  reduce: (text: string, frame: LogData['log']) => text + frame.chunks.map((chunk) => chunk.text).join(''),
};

function PreactLog({ jobId }: { readonly jobId: string }) {
  const { value, state } = usePreactStream(client, log, { jobId }, collecting);
  return h('pre', { class: state }, value);
}

function ReactLog({ jobId }: { readonly jobId: string }) {
  const { value, state } = useReactStream(client, log, { jobId }, collecting);
  return createElement('pre', { className: state }, value);
}

// The project is checked without a browser's types.
const { document } = globalThis as unknown as {
  readonly document: { createElement(name: string): { id: string }; readonly body: { append(element: object): void } };
};

globalThis.harness = {
  connect(options) {
    client = createClient(options);
    client.onConnection(({ state, via }) => {
      const now = state === 'live' ? via : state;
      if (states.at(-1) !== now) states.push(now);
    });
  },
  follow(name, jobId) {
    const one: Seen = { lines: [], end: null };
    seen[name] = one;
    void readInto(one, jobId);
  },
  show(library, id, jobId) {
    const element = Object.assign(document.createElement('div'), { id });
    document.body.append(element);
    // Both take an element of the page.
    if (library === 'preact') render(h(PreactLog, { jobId }), element as object as Parameters<typeof render>[1]);
    else createRoot(element as Parameters<typeof createRoot>[0]).render(createElement(ReactLog, { jobId }));
  },
  async askName(jobId) {
    return (await client.request(jobName, { jobId })).job.name;
  },
  seen,
  states,
  get connection() {
    return client.connection;
  },
};
