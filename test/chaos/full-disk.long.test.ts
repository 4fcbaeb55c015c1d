/**
 * The gateway's disk fills up under load: a real file system without free space, for the database
 * and for files.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CreateJobDocument, EventsDocument, JobsDocument, LogDocument } from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import { createRequester } from '../../src/client/request.ts';
import { DiskFiles } from '../../src/store/files/disk.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { openStation, signalFile } from '../agent/station.ts';
import { createFolder } from '../support/folders.ts';
import { findLost, startLoad } from './nemesis/load.ts';
import { makeSmallDisk, whyNoSmallDisk } from './nemesis/small-disk.ts';

const why = whyNoSmallDisk();
if (why) process.stderr.write(`The full disk is left out: ${why}\n`);

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

const LINES = 400;
const script = (go: string) =>
  `i=1; while [ $i -le ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done; while [ ! -e ${go} ]; do sleep 0.05; done; head -c 200000 /dev/zero > "$TRAINYARD_FRAGMENTS/model.bin"`;

describe.skipIf(why !== null)('On a full disk', () => {
  test('writes and uploads are refused, reads and streams go on, and everything resumes once there is space, without a restart (P12, P1)', {
    timeout: 150_000,
  }, async () => {
    const folder = createFolder('small');
    const disk = await makeSmallDisk(folder, 24);
    ending.push(() => disk.remove());
    const station = await openStation({ folder, url: null, remove: async () => {} }, { before: () => disk.before });
    ending.push(() => station.close());
    const { gateway } = station;
    const target = { url: gateway.url, token: gateway.adminKey };
    const client = createRequester(target);
    const go = signalFile('go');
    station.startAgentProcess({ slots: 1 });
    const jobId = await station.createJob([script(go)]);
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { events, missed } of subscribe(target, EventsDocument, { filter: { jobId } })) {
        expect(missed).toBe(0);
        for (const event of events) seen.push(event.__typename);
      }
    })();
    const load = await startLoad({ target, logBytes: 4_000 });
    ending.push(() => load.stop());
    for (let round = 0; round < 2; round++) {
      await load.more(40);
      disk.fill();
      await load.refused(20);
      // Writes report the reason.
      await vi.waitFor(async () => {
        const asked = client.request(CreateJobDocument, { input: { projectId: station.projectId, name: 'One too many' } });
        await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('disk is full') });
      });
      // Reads go on, and so do streams, including new ones.
      expect((await client.request(JobsDocument, { first: 100 })).jobs.edges.length).toBeGreaterThan(0);
      for await (const { state } of subscribe(target, EventsDocument, { filter: { jobId } })) if (state === 'LIVE') break;
      disk.relieve();
      await load.more(40);
    }
    // Its files arrive while there is no space for them.
    disk.fill();
    await load.refused(20);
    writeFileSync(go, '');
    await vi.waitFor(() => expect(gateway.output()).toMatch(/UNAVAILABLE/));
    await load.refused(20);
    disk.relieve();
    await load.more(40);
    await load.stop();
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'), 60);
    await watching;
    let text = '';
    for await (const { chunks } of subscribe(target, LogDocument, { jobId })) for (const chunk of chunks) text += chunk.text;
    expect(text).toBe(Array.from({ length: LINES }, (_, i) => `line ${i + 1}\n`).join(''));
    expect(job.steps[0]?.attempts).toMatchObject([{ number: 1, outcome: 'SUCCEEDED' }]);
    expect(job.fragments.edges.map(({ node }) => [node.filename, node.status, node.sizeBytes])).toEqual([['model.bin', 'READY', 200_000]]);
    expect(seen.length).toBeGreaterThan(0);
    expect(load.strange).toEqual([]);
    expect(gateway.output()).not.toMatch(/INTERNAL_ERROR/);
    await gateway.kill('SIGKILL');
    const left = createFolder('left');
    disk.copyTo(left);
    const store = await openSqlite(join(left, 'trainyard.sqlite'));
    ending.push(() => store.close());
    expect(await findLost(store, new DiskFiles(join(left, 'fragments')), load.answered)).toEqual([]);
  });
});
