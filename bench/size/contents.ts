/**
 * What a store has after a year. With a million jobs, 100,000 steps wait for a device and 1,000
 * run; there are 2,000 devices, 3.4 million events, a key for each job, as earlier versions left
 * it, and 4 million points of one curve. With 10,000 jobs there is a hundredth of everything.
 */

/** Between two jobs. A million of them are a year. */
export const SPACING_MS = 30_000;
const DAY_MS = 86_400_000;

const json = (value: unknown): string => `'${JSON.stringify(value)}'`;
const nothing = { memoryMb: null, cpu: null, gpu: null, gpuModel: null, shm: false };

/** The SQL that fills each table, in order. `n` has a row for each job. */
export function contents({ jobs, start }: { jobs: number; start: number }): Readonly<Record<string, string>> {
  const devices = Math.max(20, jobs / 500);
  const running = jobs / 1_000;
  const waiting = jobs / 10;
  const points = jobs * 4;
  const lines = jobs / 5;
  /** The fields of an input are as long as those that people send. */
  const settings = { optimizer: { name: 'adamw', lr: 0.0003, betas: [0.9, 0.999] }, epochs: 12, batchSize: 256, seed: 4711 };
  const columns = (values: Readonly<Record<string, string>>) =>
    `(${Object.keys(values).join(', ')}) select ${Object.values(values).join(', ')}`;
  const range = (count: number) => `with recursive r(i) as (select 0 union all select i + 1 from r where i < ${count - 1})`;
  const isWaiting = `n.i >= ${jobs - waiting}`;
  const isRunning = `n.i >= ${jobs - waiting - running} and n.i < ${jobs - waiting}`;
  const hasEnded = `n.i < ${jobs - waiting - running}`;
  const status = `case when ${isWaiting} then 'QUEUED' when ${isRunning} then 'RUNNING'
    else case (n.i * 7919) % 20 when 0 then 'FAILED' when 1 then 'FAILED' when 2 then 'CANCELLED' else 'SUCCEEDED' end end`;
  const device = `(select id from some_devices where i = n.i % ${devices})`;
  const label = (key: string, value: string, where: string) =>
    `insert into job_labels ${columns({ job_id: 'job', project_id: 'project', key: `'${key}'`, value })} from n where ${where};`;
  const event = (i: string, type: string, values: Readonly<Record<string, string>>, where: string) =>
    `insert into events ${columns({
      job_id: 'job',
      seq: i,
      position: `n.i * 4 + ${i}`,
      project_id: 'project',
      type: `'${type}'`,
      at: `at + ${i} * 1000`,
      actor: `'user:' || (n.i % 20)`,
      description: `''`,
      ...values,
    })} from n where ${where};`;
  return {
    projects: `${range(5)} insert into projects ${columns({
      id: `id_of('Project', i)`,
      name: `'Project ' || i`,
      pipeline: `'[]'`,
      created_at: `${start}`,
      updated_at: `${start}`,
    })} from r;
      create temp table some_projects as select id, row_number() over (order by id) - 1 as i from projects;`,
    devices: `${range(devices)} insert into devices ${columns({
      id: `id_of('Device', i)`,
      project_key: `''`,
      name: `'node-' || i`,
      kind: `'WORKER'`,
      labels: `'[{"key":"rack","value":"' || (i % 8) || '"}]'`,
      resources: json({ ...nothing, cpu: 64, memoryMb: 256_000, gpu: 8 }),
      slots: '4',
      is_draining: '0',
      last_seen_at: `${start}`,
      created_at: `${start}`,
      updated_at: `${start}`,
    })} from r;
      create temp table some_devices as select id, row_number() over (order by id) - 1 as i from devices;
      create index temp.some_devices_i on some_devices(i, id);`,
    ids: `create temp table n(i integer primary key, job text, step text, at integer, project text);
      ${range(jobs)} insert into n select i, id_of('Job', i), id_of('Step', i), ${start} + i * ${SPACING_MS},
        (select id from some_projects p where p.i = r.i % 5) from r;`,
    queues: `${range(50)} insert into queues ${columns({
      id: `'queue-' || (i % 5) || '-' || (i / 5)`,
      demand: `'queue ' || i`,
      project_id: `(select id from some_projects p where p.i = r.i % 5)`,
      resources: json({ ...nothing, cpu: 1 }),
      // Of the ten queues of a project, devices without labels serve the first.
      required_labels: `case i / 5 when 0 then '[]' else '[{"key":"rack","value":"' || (i / 5) || '"}]' end`,
    })} from r;`,
    jobs: `insert into jobs ${columns({
      id: 'job',
      project_id: 'project',
      name: `'resnet ' || (n.i % 1000) || ' fold ' || (n.i % 10)`,
      description: `case n.i % 2 when 0 then 'The ' || (n.i % 997) || 'th run of the sweep, with more data than the one before it.' end`,
      type: `case when n.i < 10 then 'CONVERSION' when n.i % 50 = 0 then 'VALIDATION' else 'TRAINING' end`,
      initiator: `case when n.i % 20 = 0 then 'GIT' else 'MANUAL' end`,
      status,
      reason: `case when ${hasEnded} then 'COMPLETED' when ${isRunning} then 'CLAIMED' else 'CREATED' end`,
      reason_description: `''`,
      owner: `case when n.i < 5 then 'user:rare' else 'user:' || (n.i % 20) end`,
      priority: '(n.i * 31) % 7 - 3',
      labels: `'[{"key":"team","value":"' || (n.i % 10) || '"}]'`,
      is_preemptible: '0',
      settings: json(settings),
      settings_warnings: `'[]'`,
      settings_sources: `'{}'`,
      application_id: `case n.i % 2 when 0 then id_of('Application', n.i % 20) end`,
      experiment_id: `case n.i % 10 when 0 then id_of('Experiment', n.i % 1000) end`,
      is_federated: '0',
      input: json({
        name: 'resnet',
        settings,
        steps: [{ name: 'Train', container: { image: 'python:3.13', command: 'python train.py' } }],
      }),
      device_id: `case when ${isWaiting} then null else ${device} end`,
      step_count: 'case n.i % 10 when 0 then 2 else 1 end',
      created_at: 'at',
      updated_at: `case when ${hasEnded} then at + 60000 + (n.i * 7919) % 3600000 else at + 1000 end`,
      started_at: `case when ${isWaiting} then null else at + 1000 end`,
      finished_at: `case when ${hasEnded} then at + 60000 + (n.i * 7919) % 3600000 end`,
    })} from n;`,
    labels: [label('team', 'n.i % 10', '1'), label('rare', `'yes'`, 'n.i < 3'), label('run', 'n.i', 'n.i % 10 = 0')].join('\n'),
    steps: [1, 2]
      .map(
        (number) =>
          `insert into steps ${columns({
            id: number === 1 ? 'step' : `id_of('Step', ${jobs} + n.i)`,
            job_id: 'job',
            project_id: 'project',
            number: `${number}`,
            name: `'Step ${number}'`,
            status: `case when ${isWaiting} or ${isRunning} then ${number === 1 ? status : `'BLOCKED'`} else ${status} end`,
            queue_id: `'queue-' || (n.i % 5) || '-' || (n.i / 5 % 10)`,
            priority: '(n.i * 31) % 7 - 3',
            max_attempts: '1',
            attempt_count: `case when ${isWaiting} then 0 else 1 end`,
            failed_count: '0',
            lost_count: '0',
            created_seq: '1',
            initial_status: number === 1 ? `'QUEUED'` : `'BLOCKED'`,
            created_at: 'at',
            queued_at: number === 1 ? 'at' : 'null',
            started_at: `case when ${isWaiting} then null else at + 1000 end`,
            finished_at: `case when ${hasEnded} then at + 60000 end`,
            lease_hash: `case when ${isRunning} and ${number} = 1 then 'none' end`,
            lease_device_id: `case when ${isRunning} and ${number} = 1 then ${device} end`,
            lease_expires_at: `case when ${isRunning} and ${number} = 1 then ${start + 10_000 * DAY_MS} end`,
            lease_seconds: `case when ${isRunning} and ${number} = 1 then 86400 end`,
            is_preemptible: '0',
            log_size: '0',
          })} from n ${number === 1 ? '' : 'where n.i % 10 = 0'};`,
      )
      .join('\n'),
    attempts: `insert into attempts ${columns({
      step_id: 'step',
      number: '1',
      job_id: 'job',
      device_id: device,
      outcome: `case when ${hasEnded} then 'SUCCEEDED' else 'RUNNING' end`,
      reason: `case when ${hasEnded} then 'COMPLETED' end`,
      description: `''`,
      claimed_at: 'at + 1000',
      lease_expires_at: 'at + 3600000',
      finished_at: `case when ${hasEnded} then at + 60000 end`,
    })} from n where not ${isWaiting};`,
    events: [
      event('1', 'JOB_CREATED', { '"to"': `'QUEUED'` }, '1'),
      event(
        '2',
        'STEP_STATUS_CHANGED',
        { step_id: 'step', '"from"': `'QUEUED'`, '"to"': `'RUNNING'`, attempt: '1', reason: `'CLAIMED'` },
        `not ${isWaiting}`,
      ),
      event('3', 'JOB_STATUS_CHANGED', { '"from"': `'QUEUED'`, '"to"': `'RUNNING'`, reason: `'CLAIMED'` }, `not ${isWaiting}`),
      event('4', 'JOB_STATUS_CHANGED', { '"from"': `'RUNNING'`, '"to"': status, reason: `'COMPLETED'` }, hasEnded),
    ].join('\n'),
    streams: `insert into streams ${columns({ job_id: 'job', kind: `'event'`, last: `case when ${isWaiting} then 1 when ${isRunning} then 3 else 4 end`, first: '1' })} from n;
      insert into streams ${columns({ job_id: `''`, kind: `'event'`, last: `${jobs * 4}`, first: '1' })};`,
    'latest metrics': `insert into latest_metrics ${columns({
      job_id: 'job',
      step_number: '1',
      name: `case when n.i < 30 then 'rare' else 'loss' end`,
      attempt: '1',
      value: '((n.i * 7919) % 10007) / 10007.0',
      iteration: '100',
      at: 'at + 2000',
      seq: '1',
    })} from n where n.i % 10 = 1 and not ${isWaiting};`,
    points: `${range(points)} insert into metric_points ${columns({
      job_id: `(select job from n where i = ${jobs / 2})`,
      seq: 'i + 1',
      step_number: '1',
      attempt: '1',
      name: `'loss'`,
      value: '1.0 / (1 + i % 1000) + ((i * 7919) % 101) / 1000.0',
      iteration: 'i',
      at: `${start} + i * 100`,
    })} from r;
      insert into streams ${columns({ job_id: 'job', kind: `'metric'`, last: `${points}`, first: '1' })} from n where i = ${jobs / 2};
      insert or replace into latest_metrics ${columns({
        job_id: 'job',
        step_number: '1',
        name: `'loss'`,
        attempt: '1',
        value: '0.5',
        iteration: `${points - 1}`,
        at: 'at',
        seq: `${points}`,
      })} from n where i = ${jobs / 2};`,
    log: `${range(lines)} insert into log_chunks ${columns({
      job_id: `(select job from n where i = ${jobs / 2})`,
      seq: 'i + 1',
      step_number: '1',
      attempt: '1',
      '"offset"': 'i * 60',
      size: '60',
      stream: `'STDOUT'`,
      text: `printf('%-59s', 'epoch ' || (i / 100) || ' batch ' || (i % 100) || ': loss is lower than it was') || char(10)`,
      at: `${start} + i * 100`,
      first_line: 'i + 1',
    })} from r;
      insert into streams ${columns({ job_id: 'job', kind: `'log'`, last: `${lines}`, first: '1', bytes: `${lines * 60}`, numbered: `${lines}` })} from n where i = ${jobs / 2};
      update steps set log_size = ${lines * 60}, log_counts = ${json({ bytes: lines * 60, lines, attempt: 1, breaks: lines, isOpen: false })}
        where id = (select step from n where i = ${jobs / 2});`,
    telemetry: `${range(lines)} insert into telemetry_samples ${columns({
      job_id: `(select job from n where i = ${jobs / 2})`,
      seq: 'i + 1',
      step_number: '1',
      attempt: '1',
      at: `${start + jobs * SPACING_MS} - (${lines} - i) * 1000`,
      cpu: 'i % 64',
      memory_mb: 'i % 997',
    })} from r;
      insert into streams ${columns({ job_id: 'job', kind: `'telemetry'`, last: `${lines}`, first: '1' })} from n where i = ${jobs / 2};`,
    keys: `insert into api_keys ${columns({
      id: `id_of('ApiKey', n.i)`,
      name: `'job'`,
      kind: `'JOB'`,
      project_id: 'project',
      job_id: 'job',
      hash: `hex(randomblob(32))`,
      hint: `'tyk_'`,
      created_at: 'at',
      created_by: `'user:' || (n.i % 20)`,
    })} from n;`,
    audit: `insert into audit_entries ${columns({
      id: `id_of('AuditEntry', n.i)`,
      at: 'at',
      actor: `'user:' || (n.i % 20)`,
      action: `case when n.i < 10 then 'KEY_REVOKED' else 'DEVICE_CHANGED' end`,
      subject_type: `case when n.i < 10 then 'API_KEY' else 'DEVICE' end`,
      subject_id: device,
      subject_name: `'node'`,
      project_id: 'project',
      changes: `'{}'`,
    })} from n where n.i % 5 = 0;`,
  };
}
