/** `trainyard forward`: a port of a running step, on this machine. */

import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runHere } from '../../cli/processes.ts';
import { eventually } from '../eventually.ts';
import { openStation, type Station } from '../station.ts';
import { freePort, nodeStep } from './servers.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
  station.startAgent({ slots: 40 });
});
afterAll(() => station?.close());

/** Starts a step that does this with each connection to a port. */
async function listen(act: string, host = '127.0.0.1'): Promise<{ jobId: string; port: number }> {
  const port = await freePort();
  const program = `require("node:net").createServer({ allowHalfOpen: true }, (socket) => { socket.on("error", () => {}); ${act} }).listen(${port}, "${host}", () => console.log("up"))`;
  const jobId = await station.createJob([nodeStep(program)]);
  await station.waitForJob(jobId, (job) => expect(JSON.stringify(job.steps[0]?.log)).toContain('up'));
  return { jobId, port };
}

interface Forwarding {
  readonly port: number;
  stderr(): string;
  /** Ends it. Resolves with its exit code. */
  stop(): Promise<number | null>;
  readonly ended: Promise<number | null>;
}

async function forward(jobId: string, remote: number, key = station.gateway.adminKey): Promise<Forwarding> {
  const interrupt = new AbortController();
  const command = runHere(
    ['forward', jobId, String(remote), '--local', '0'],
    { TRAINYARD_URL: station.gateway.url, TRAINYARD_TOKEN: key },
    interrupt.signal,
  );
  const ended = command.then(({ code }) => code);
  const port = await Promise.race([
    eventually(() => Number(/Forwarding 127\.0\.0\.1:(\d+) /.exec(command.stderr())?.[1] ?? expect.fail('It does not listen yet.'))),
    ended.then(() => 0),
  ]);
  return {
    port,
    ended,
    stderr: () => command.stderr(),
    stop() {
      interrupt.abort();
      return ended;
    },
  };
}

/** Sends bytes, ends this direction, and reads the other one to its end. */
function talk(port: number, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(bytes));
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.once('end', () => resolve(Buffer.concat(parts)));
    socket.once('error', reject);
  });
}

describe('trainyard forward', () => {
  test('connects many clients to a port of the step, and passes on large data and the end of each direction', async () => {
    // It answers only when the client has ended its direction.
    const { jobId, port } = await listen(
      'const parts = []; socket.on("data", (part) => parts.push(part)); socket.on("end", () => socket.end(Buffer.concat(parts)));',
    );
    const forwarding = await forward(jobId, port);
    const all = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const bytes = randomBytes(2_000_000);
        return (await talk(forwarding.port, bytes)).equals(bytes);
      }),
    );
    expect(all).toEqual([true, true, true]);
    expect(await forwarding.stop()).toBe(130);
    await expect(talk(forwarding.port, Buffer.from('x'))).rejects.toThrow();
  });

  test('reaches a port that the step opens on all addresses, over IPv6 too', async () => {
    const { jobId, port } = await listen('socket.end("hi");', '::');
    const forwarding = await forward(jobId, port);
    expect(String(await talk(forwarding.port, Buffer.alloc(0)))).toBe('hi');
    await forwarding.stop();
  });

  test('refuses ports of the device that are not the step’s: the gateway’s, another program’s, another step’s', async () => {
    const { jobId } = await listen('socket.end("mine");');
    const another = await listen('socket.end("another step");');
    const program: Server = createServer((socket) => socket.end('secret'));
    await new Promise<void>((resolve) => program.listen(0, '127.0.0.1', resolve));
    const address = program.address();
    const port = address !== null && typeof address !== 'string' ? address.port : 0;
    for (const foreign of [station.gateway.port, port, another.port, await freePort()]) {
      const forwarding = await forward(jobId, foreign);
      expect(String(await talk(forwarding.port, Buffer.from('GET / HTTP/1.0\r\n\r\n')).catch(() => ''))).toBe('');
      await eventually(() => expect(forwarding.stderr()).toContain(`No process of the step listens on port ${foreign}`));
      await forwarding.stop();
    }
    program.close();
  });

  test('ends when the job has ended, at the next connection', async () => {
    const { jobId, port } = await listen('socket.write("first");');
    const forwarding = await forward(jobId, port);
    const socket = connect(forwarding.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await station.cancelJob(jobId);
    await closed;
    await station.waitForJob(jobId, ({ status }) => expect(status).toBe('CANCELLED'));
    // The first one finds that the token has ended, the next one why there is none.
    for (let i = 0; i < 2; i += 1) await talk(forwarding.port, Buffer.from('x')).catch(() => {});
    expect(await forwarding.ended).toBe(2);
    expect(forwarding.stderr()).toContain('INVALID_STATE: The job is CANCELLED');
  });

  test('is refused for keys without the role EDITOR, and for what is no port', async () => {
    const { jobId, port } = await listen('socket.end();');
    const { secret } = await station.makeKey('role: VIEWER');
    const refused = await forward(jobId, port, secret);
    expect(await refused.ended).toBe(2);
    expect(refused.stderr()).toContain('FORBIDDEN');
    const env = { TRAINYARD_URL: station.gateway.url, TRAINYARD_TOKEN: station.gateway.adminKey };
    for (const wrong of ['0', '65536', 'http', '-1']) expect((await runHere(['forward', jobId, wrong, '--local', '0'], env)).code).toBe(2);
  });
});
