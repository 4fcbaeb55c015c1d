import { createServer, type Server, type Socket } from 'node:net';
import { RequestRefused, unwrap } from '../../client/errors.ts';
import { ForwardPortDocument, type StepSessionFieldsFragment } from '../../client/generated.ts';
import { bytesOfFrames, FRAME, type Frame, FrameReader, framesOfBytes } from '../../tunnel/protocol.ts';
import type { Command, Context } from '../command.ts';
import { exitCodes, UsageError } from '../io.ts';
import { openStepSession, problemOf } from '../step-session.ts';
import { cleanName } from '../terminal.ts';

/** A token is renewed so long before it expires. */
const marginMilliseconds = 10_000;

export const forward: Command = {
  name: 'forward',
  summary: 'Forwards a port of this machine to a port of a running step.',
  usage: 'JOB PORT',
  argCount: [2, 2],
  flags: {
    step: { value: 'N', description: 'the step, by number', defaultText: 'the only one that runs' },
    local: { value: 'PORT', description: 'the port here, on 127.0.0.1; 0 chooses a free one', defaultText: 'the same port' },
  },
  notes:
    'Only ports on which a process of the step listens can be reached, no others of its device. It ends with Ctrl-C, and when the\n' +
    'step can no longer be entered. Each token (one for ten minutes) is recorded in the audit trail.',

  async run(context) {
    const { io, given, args } = context;
    const [jobId = '', port = ''] = args;
    const remote = readPort(port, 'PORT');
    const local = given.text('local') === undefined ? remote : readPort(given.text('local') ?? '', '--local', 0);
    const stop = new AbortController();
    const signal = AbortSignal.any([io.signal, stop.signal]);
    const sessions = new Sessions(context, { jobId, stepNumber: given.integer('step'), port: remote }, signal);
    // What is wrong with the job or the key is said before anyone connects.
    await sessions.take();
    let failure: unknown = null;
    const onConnection = (socket: Socket) =>
      connect(context, sessions, socket, signal).catch((error: unknown) => {
        socket.destroy();
        if (signal.aborted) return;
        failure = error;
        stop.abort();
      });
    const server = createServer({ allowHalfOpen: true }, (socket) => void onConnection(socket));
    await listen(server, local);
    const address = server.address();
    const listening = address !== null && typeof address !== 'string' ? address.port : local;
    io.stderr.write(`Forwarding 127.0.0.1:${listening} to port ${remote} of job ${cleanName(jobId)}.\n`);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    server.close();
    if (failure !== null) throw failure;
    return exitCodes.interrupted;
  },
};

/** Tokens for sessions: one is used until it expires. */
class Sessions {
  readonly #context: Context;
  readonly #input: { readonly jobId: string; readonly stepNumber: number | undefined; readonly port: number };
  readonly #signal: AbortSignal;
  #newest: Promise<StepSessionFieldsFragment> | null = null;
  #current: StepSessionFieldsFragment | null = null;
  #until = 0;

  constructor(context: Context, input: { jobId: string; stepNumber: number | undefined; port: number }, signal: AbortSignal) {
    this.#context = context;
    this.#input = input;
    this.#signal = signal;
  }

  async take(): Promise<StepSessionFieldsFragment> {
    if (this.#newest === null || Date.now() > this.#until) {
      this.#until = Number.POSITIVE_INFINITY;
      this.#newest = this.#ask();
    }
    return this.#newest;
  }

  /** It is refused. The next connection asks for another, and learns why it gets none. */
  drop(session: StepSessionFieldsFragment): void {
    if (session === this.#current) this.#until = 0;
  }

  async #ask(): Promise<StepSessionFieldsFragment> {
    const { client } = this.#context;
    const answer = await client.request(ForwardPortDocument, { input: this.#input }, { signal: this.#signal });
    const { session } = unwrap(answer.forwardPort);
    this.#current = session;
    this.#until = Date.parse(session.expiresAt) - marginMilliseconds;
    return session;
  }
}

/** Rejects if the step can no longer be entered. */
async function connect({ io, target }: Context, sessions: Sessions, socket: Socket, signal: AbortSignal): Promise<void> {
  socket.on('error', () => {});
  const session = await sessions.take();
  const stream = await openStepSession(target, session, signal);
  // Frames that are on their way still arrive.
  socket.once('close', () => stream.end());
  socket.pipe(framesOfBytes()).pipe(stream, { end: false });
  const frames = stream.pipe(new FrameReader());
  frames.on('data', ({ type, bytes }: Frame) => {
    if (type !== FRAME.PROBLEM) return;
    const problem = problemOf(bytes);
    io.stderr.write(`trainyard: ${cleanName(problem.message)}\n`);
    if (problem instanceof RequestRefused && problem.code === 'UNAUTHENTICATED') sessions.drop(session);
  });
  frames.on('error', () => socket.destroy());
  const bytes = frames.pipe(bytesOfFrames());
  bytes.pipe(socket);
  // Once the session is over and all has arrived, nothing can be sent any more.
  const end = () => {
    if (stream.readableEnded && bytes.readableEnded) socket.destroySoon();
  };
  stream.once('end', end);
  bytes.once('end', end);
  stream.once('close', () => socket.destroySoon());
}

function readPort(text: string, name: string, least = 1): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < least || port > 65_535)
    throw new UsageError(`${name} takes a port from ${least} to 65535, not ${cleanName(text)}.`);
  return port;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
