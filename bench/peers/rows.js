/**
 * Reads the gateway's database as the author of a small server would: with two prepared statements.
 */
import Database from 'better-sqlite3';

const database = new Database(process.argv[2], { readonly: true });
const JOB = 'id, name, status, priority, created_at as createdAt, updated_at as updatedAt';
const STEP = 'job_id as jobId, number, name, status, created_at as createdAt';
const job = database.prepare(`select ${JOB} from jobs where id = ?`);
const jobs = database.prepare(`select ${JOB} from jobs order by id desc limit ?`);
const steps = database.prepare(`select ${STEP} from steps where job_id = ? order by number`);

const shownJob = ({ createdAt, updatedAt, ...rest }) => ({
  ...rest,
  createdAt: new Date(createdAt).toISOString(),
  updatedAt: new Date(updatedAt).toISOString(),
});
const shownStep = ({ createdAt, ...rest }) => ({ ...rest, createdAt: new Date(createdAt).toISOString() });

export const jobById = (id) => {
  const row = job.get(id);
  return row ? shownJob(row) : null;
};
export const newestJobs = (count) => jobs.all(count).map(shownJob);

export const stepsOfJob = (jobId) => steps.all(jobId).map(shownStep);

const manySteps = new Map();

/** The steps of several jobs in one query, for a loader. */
export function stepsOfJobs(jobIds) {
  let statement = manySteps.get(jobIds.length);
  if (!statement) {
    statement = database.prepare(`select ${STEP} from steps where job_id in (${jobIds.map(() => '?').join(', ')}) order by job_id, number`);
    manySteps.set(jobIds.length, statement);
  }
  const byJob = new Map(jobIds.map((id) => [id, []]));
  for (const row of statement.all(...jobIds)) byJob.get(row.jobId).push(shownStep(row));
  return jobIds.map((id) => byJob.get(id));
}

export const typeDefs = /* GraphQL */ `
  type Query {
    job(id: ID!): Job
    jobs(first: Int): JobConnection!
  }
  type JobConnection {
    nodes: [Job!]!
  }
  enum JobStatus { BLOCKED QUEUED RUNNING SUSPENDED CANCELLING SUCCEEDED FAILED CANCELLED }
  enum StepStatus { BLOCKED QUEUED RUNNING CANCELLING SUCCEEDED FAILED CANCELLED SKIPPED }
  type Job {
    id: ID!
    name: String!
    status: JobStatus!
    priority: Int!
    createdAt: String!
    updatedAt: String!
    steps: [Step!]!
  }
  type Step {
    number: Int!
    name: String!
    status: StepStatus!
    createdAt: String!
  }
`;
