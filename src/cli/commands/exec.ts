import type { Duplex, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { GatewayUnreachable, unwrap } from '../../client/errors.ts';
import { ExecInStepDocument } from '../../client/generated.ts';
import { type ExecExit, FRAME, type Frame, FrameReader, framesOfBytes } from '../../tunnel/protocol.ts';
import type { Command } from '../command.ts';
import { type Output, print, UsageError } from '../io.ts';
import { LogLines } from '../output/loglines.ts';
import { openStepSession, problemOf } from '../step-session.ts';

export const exec: Command = {
  name: 'exec',
  summary: 'Runs a command inside a running step, in its environment or container.',
  usage: 'JOB [--step N] -- COMMAND…',
  argCount: [1, 1],
  takesCommandLine: true,
  flags: { step: { value: 'N', description: 'the step, by number', defaultText: 'the only one that runs' } },
  notes: `The command gets this command's stdin, and its output and exit code are this command's. It is run as it is, without a shell:
for one, write -- sh -c "…". It has no terminal. On a terminal here, its output keeps its colours ($NO_COLOR strips them); other
control sequences are removed. It ends with the step, and when this command ends. Everything is recorded in the audit trail.`,

  async run({ io, client, target, args, given, commandLine }) {
    const [jobId = ''] = args;
    if (commandLine.length === 0) throw new UsageError('No command. Put it after --.');
    const input = { jobId, stepNumber: given.integer('step'), command: [...commandLine] };
    const { session } = unwrap((await client.request(ExecInStepDocument, { input }, { signal: io.signal })).execInStep);
    const stream = await openStepSession(target, session, io.signal);
    const stopSending = sendInput(io.stdin?.(), stream);
    try {
      const outputs = { stdout: writerOf(io.stdout, io.env), stderr: writerOf(io.stderr, io.env) };
      return await follow(stream, outputs);
    } finally {
      stopSending();
      stream.destroy();
    }
  },
};

/** Resolves with the exit code of the command. */
async function follow(stream: Duplex, { stdout, stderr }: Record<'stdout' | 'stderr', Writer>): Promise<number> {
  const frames = stream.pipe(new FrameReader());
  stream.once('close', () => frames.end());
  for await (const { type, bytes } of frames as AsyncIterable<Frame>) {
    if (type === FRAME.STDOUT) await stdout.write(bytes);
    if (type === FRAME.STDERR) await stderr.write(bytes);
    if (type === FRAME.PROBLEM) throw problemOf(bytes);
    if (type !== FRAME.EXIT) continue;
    await stdout.end();
    await stderr.end();
    const { exitCode } = JSON.parse(bytes.toString()) as ExecExit; // the agent made it
    return exitCode;
  }
  throw new GatewayUnreachable('The connection ended before the command: the step has ended, or its device or the gateway is away.');
}

/** Returns a function that stops it. */
function sendInput(stdin: Readable | undefined, stream: Duplex): () => void {
  const frames = framesOfBytes();
  frames.pipe(stream, { end: false });
  if (stdin === undefined) {
    frames.end();
    return () => {};
  }
  stdin.pipe(frames);
  return () => {
    stdin.unpipe(frames);
    // Otherwise this process would wait for the rest of it.
    stdin.destroy();
  };
}

interface Writer {
  write(bytes: Buffer): Promise<void>;
  end(): Promise<void>;
}

/** Bytes go on as they are, except to a terminal, which would obey them. */
function writerOf(output: Output, env: Readonly<Record<string, string | undefined>>): Writer {
  const put = (text: string | Uint8Array) => print(output, text);
  if (!output.isTTY) return { write: put, end: async () => {} };
  const decoder = new StringDecoder();
  const lines = new LogLines(!env.NO_COLOR);
  const chunkOf = (text: string) => ({ stepNumber: 0, attempt: 1, stream: 'STDOUT', text }) as const;
  return {
    write: (bytes) => put(lines.take(chunkOf(decoder.write(bytes)))),
    end: () => put(lines.take(chunkOf(decoder.end())) + lines.flush()),
  };
}
