/** What the agent answers to the gateway's requests through the tunnel. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  ATTEMPT,
  type ExecExit,
  type ExecStart,
  FRAME,
  type Frame,
  FrameReader,
  frame,
  PROBLEM,
  problemFrame,
} from '../../tunnel/protocol.ts';
import { SpawnError } from '../process/process.ts';
import type { InnerCommand } from '../process/running.ts';
import type { OpenStep, OpenSteps } from './open-steps.ts';

/** Between SIGTERM and SIGKILL of a command whose client has gone. */
const graceSeconds = 5;

/** How long a connection to a port of this machine may take. */
const connectMilliseconds = 10_000;

/** As a shell: there is no such command. */
const notFound = 127;

/** Answers one request of the gateway. Never throws. */
export function answerStream(steps: OpenSteps, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  // The gateway or the network ended it. `close` follows.
  stream.on('error', () => {});
  const work = headers[':method'] === 'CONNECT' ? answerConnect(steps, stream, headers) : answerExec(steps, stream, headers);
  work.catch(() => stream.destroy());
}

async function answerConnect(steps: OpenSteps, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  const [, name = '', digits = ''] = /^([\w-]+):(\d{1,5})$/.exec(headers[':authority'] ?? '') ?? [];
  const port = Number(digits);
  const step = findStep(steps, stream, name);
  if (!step) return;
  if (!(port >= 1 && port <= 65_535)) return refuse(stream, 400, 'A port is a number from 1 to 65535.');
  const forget = step.use(() => stream.destroy());
  stream.once('close', forget);
  const address = await step.running.findPort(port);
  if (address === null) return refuse(stream, 403, `No process of the step listens on port ${port} of this device.`);
  const socket = connect({ ...address, allowHalfOpen: true });
  stream.once('close', () => socket.destroy());
  const problem = await whenConnected(socket);
  if (problem !== null) {
    socket.destroy();
    return refuse(stream, 502, `Port ${port} of the step cannot be reached: ${problem}`);
  }
  if (stream.destroyed) return;
  stream.respond({ ':status': 200 });
  // Either direction may end before the other.
  await Promise.all([pipeline(stream, socket), pipeline(socket, stream)]).finally(() => socket.destroy());
}

/** Resolves with null, or with what is wrong. */
function whenConnected(socket: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('it does not answer.'), connectMilliseconds);
    socket.once('connect', () => resolve(null));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`${error.code ?? error.message}.`));
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => clearTimeout(timer));
  });
}

async function answerExec(steps: OpenSteps, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  if (headers[':method'] !== 'POST' || headers[':path'] !== '/exec') return refuse(stream, 404, 'The tunnel has CONNECT and POST /exec.');
  const step = findStep(steps, stream, String(headers[ATTEMPT]));
  if (!step) return;
  const frames = stream.pipe(new FrameReader());
  frames.on('error', () => stream.destroy());
  stream.once('close', () => frames.destroy());
  const input: AsyncIterator<Frame> = frames[Symbol.asyncIterator]();
  const first = await input.next();
  if (first.done || first.value.type !== FRAME.START) return refuse(stream, 400, 'The first frame says what to run.');
  const { command } = JSON.parse(first.value.bytes.toString()) as ExecStart; // the gateway made it
  stream.respond({ ':status': 200 });
  const running = await start(step, command, stream);
  if (running === null) return;
  let hasExited = false;
  const stop = () => {
    if (!hasExited) void running.stop(graceSeconds);
  };
  if (stream.destroyed) stop();
  stream.once('close', stop);
  const forget = step.use(() => stream.end(problemFrame({ code: 'UNAVAILABLE', message: 'The step has ended.' })));
  void feed(input, running).catch(() => {});
  const exit = await running.exited;
  hasExited = true;
  forget();
  if (stream.writableEnded || stream.destroyed) return;
  stream.end(frame(FRAME.EXIT, JSON.stringify({ exitCode: exit.exitCode, signal: exit.signal } satisfies ExecExit)));
}

/** Null if the command could not be started: then the client was told. */
async function start(step: OpenStep, command: readonly string[], stream: ServerHttp2Stream): Promise<InnerCommand | null> {
  let running: InnerCommand | null = null;
  const onOutput = (from: 'STDOUT' | 'STDERR', bytes: Buffer) => {
    if (stream.writableEnded || stream.destroyed) return;
    if (!stream.write(frame(FRAME[from], bytes))) running?.hold(true);
  };
  stream.on('drain', () => running?.hold(false));
  try {
    running = await step.running.exec(command, onOutput);
    return running;
  } catch (error) {
    if (!(error instanceof SpawnError)) throw error;
    stream.write(frame(FRAME.STDERR, `${error.message}\n`));
    stream.end(frame(FRAME.EXIT, JSON.stringify({ exitCode: notFound, signal: null } satisfies ExecExit)));
    return null;
  }
}

/** Passes on what the client sends, as fast as the command reads it. */
async function feed(input: AsyncIterator<Frame>, { stdin }: InnerCommand): Promise<void> {
  if (stdin === null) return;
  try {
    for (let next = await input.next(); !next.done && next.value.type !== FRAME.END; next = await input.next())
      if (next.value.type === FRAME.INPUT) await write(stdin, next.value.bytes);
  } finally {
    stdin.end();
  }
}

/** Resolves when there is room for more, or the command reads no more. */
function write(stdin: Writable, bytes: Buffer): Promise<void> {
  if (stdin.destroyed || stdin.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    stdin.once('drain', resolve);
    stdin.once('close', resolve);
  });
}

function findStep(steps: OpenSteps, stream: ServerHttp2Stream, name: string): OpenStep | undefined {
  const step = steps.find(name);
  if (!step) refuse(stream, 404, 'This attempt of the step does not run on this device.');
  return step;
}

function refuse(stream: ServerHttp2Stream, status: number, problem: string): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ':status': status, [PROBLEM]: encodeURIComponent(problem) }, { endStream: true });
}
