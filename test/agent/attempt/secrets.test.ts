/** A step's secrets are shown to nobody (P16). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logOf, openStation, type Station } from '../station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

const secret = 'correct horse "battery" staple';
const env = [
  { name: 'PASSWORD', value: secret, isSecret: true },
  { name: 'EPOCHS', value: '5' },
];

async function run(container: Record<string, unknown>, status: string) {
  const jobId = await station.createJob([container]);
  return station.waitForJob(jobId, (job) => expect(job.status).toBe(status));
}

test('a step that prints its lease token or a secret variable, whole or in pieces, shows none of it (P16)', async () => {
  const agent = station.startAgent();
  const halves = 'printf %s "$PASSWORD" | head -c 9; sleep 0.5; printf %s "$PASSWORD" | tail -c +10; echo';
  const line = '{"iteration": 1, "loss": 1, "%s": 2}\\n';
  const job = await run(
    {
      command: [
        'test "$PASSWORD" = "correct horse \\"battery\\" staple" && echo given',
        'env | grep -E "TOKEN|PASSWORD|EPOCHS" | sort',
        halves,
        `printf '${line}' "$TRAINYARD_TOKEN" >> "$TRAINYARD_METRICS"`,
        'head -c 20000 /dev/zero | tr "\\0" x; echo "$TRAINYARD_TOKEN"',
        'echo x > "fragments/$TRAINYARD_TOKEN"',
        '"no-such $PASSWORD"',
      ].join('; '),
      env,
    },
    'FAILED',
  );
  const log = logOf(job.steps[0]);
  expect(log).toContain('given\nEPOCHS=5\nPASSWORD=***\nTRAINYARD_TOKEN=***\n***\n');
  expect(log).toContain('x***\n');
  expect(job.steps[0]?.attempts[0]?.description).toMatch(/no such command.*no-such \*\*\*/);
  expect(job.fragments.edges.map(({ node }) => node.filename)).toEqual(['***']);
  expect(JSON.stringify(job) + JSON.stringify(agent.events)).not.toMatch(/lease_\w{10}|correct horse|staple/);
  await agent.stop();
});

test('a secret variable is returned to the claim that runs the step, and to nobody else (P15)', async () => {
  const jobId = await station.createJob([{ command: 'true', env }]);
  const asked = 'container { env { name value isSecret } }';
  const { job } = await station.ask<{ job: object }>(`query ($id: ID!) { job(id: $id) { ${asked} steps { ${asked} } } }`, { id: jobId });
  expect(JSON.stringify(job)).toContain('{"name":"PASSWORD","value":"***","isSecret":true},{"name":"EPOCHS","value":"5","isSecret":false}');
  expect(JSON.stringify(job)).not.toContain('horse');
  const { claimStep } = await station.ask<{ claimStep: { secretEnv: object; lease: { token: string } } }>(
    `mutation ($input: ClaimStepInput!) { claimStep(input: $input) { ... on ClaimStepPayload { lease { token } secretEnv { name value } step { ${asked} } } } }`,
    { input: { jobId, stepNumber: 0 } },
  );
  expect(claimStep.secretEnv).toEqual([{ name: 'PASSWORD', value: secret }]);
  expect(JSON.stringify({ ...claimStep, secretEnv: null })).not.toContain('horse');

  // A device that masks nothing itself.
  const leaseToken = claimStep.lease.token;
  const said = `${leaseToken} and ${secret}.`;
  const reported = await station.ask<Record<string, object>>(
    `mutation ($report: ReportProgressInput!, $output: SetJobOutputInput!, $fail: FailStepInput!) {
      reportProgress(input: $report) { ... on ReportProgressPayload { nextLogOffset } ... on Error { message } }
      setJobOutput(input: $output) { ... on SetJobOutputPayload { job { output } fragment { text } } ... on Error { message } }
      failStep(input: $fail) { ... on FailStepPayload { job { status } } ... on Error { message } }
    }`,
    {
      report: {
        leaseToken,
        statusMessage: said,
        log: [{ offset: 0, text: said, stream: 'STDOUT' }],
        metrics: [{ name: `loss of ${secret}`, value: 1 }],
      },
      output: { jobId, leaseToken, output: { said: [said] } },
      fail: { leaseToken, description: said },
    },
  );
  expect(reported.reportProgress).toEqual({ nextLogOffset: Buffer.byteLength(said) });
  const seen = await station.ask(
    `query ($id: ID!) { job(id: $id) { statusMessage output metricSeries(name: "loss of ***") { points { value } }
       fragments(first: 5) { edges { node { text } } }
       steps { statusMessage logTail(lines: 9) attempts { description } } } }`,
    { id: jobId },
  );
  expect(JSON.stringify(seen)).toContain('*** and ***.');
  expect(JSON.stringify([reported, seen])).not.toMatch(/horse|lease_\w{10}/);
});
