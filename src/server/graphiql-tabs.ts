/** A tab that GraphiQL opens with for someone who has none of their own. */
export interface Tab {
  readonly query: string;
  /** The page puts the newest project's and job's ids where there are some. */
  readonly variables?: { readonly [name: string]: string };
}

/** Create a job, watch it, its log, its metrics: in this order, a first walk through the product. */
export const TABS: readonly Tab[] = [
  {
    query: `# 1. Create a job: press the run button, or Ctrl-Enter.
#
# projectId, under "Variables" below, is your newest project.
# Start the second tab first to see the job happen: an agent
# claims its step and runs the command. The answer has the id
# of the job, for the other tabs.
mutation CreateJob($projectId: ID!) {
  createJob(
    input: {
      projectId: $projectId
      name: "Count to ten"
      steps: [
        {
          name: "Count"
          container: {
            command: """
            for i in 1 2 3 4 5 6 7 8 9 10; do
              echo "counting $i"
              echo "{\\"iteration\\": $i, \\"count\\": $i}" >> "$TRAINYARD_METRICS"
              sleep 1
            done
            """
          }
        }
      ]
    }
  ) {
    ... on CreateJobPayload {
      job {
        id
        name
        status
      }
    }
    ... on Error {
      code
      message
    }
  }
}
`,
    variables: { projectId: 'proj_…' },
  },
  {
    query: `# 2. Watch every job that your key sees, live. It needs no id:
# run it, then run the first tab.
subscription Watch {
  jobsUpdated {
    id
    name
    status
    statusMessage
    steps {
      number
      name
      status
    }
    metrics {
      name
      value
    }
  }
}
`,
  },
  {
    query: `# 3. The log of a job: what is stored, then what is written.
#
# jobId, under "Variables" below, is the newest job that there
# was when this page opened. For another, put in the id that
# the first tab answered. "NewestLog" needs no id: it reads
# the last lines of the newest job.
subscription Log($jobId: ID!) {
  log(jobId: $jobId) {
    cursor
    state
    chunks {
      text
    }
  }
}

query NewestLog {
  jobs(first: 1) {
    nodes {
      id
      name
      status
      steps {
        name
        logTail(lines: 50)
      }
    }
  }
}
`,
    variables: { jobId: 'job_…' },
  },
  {
    query: `# 4. The metrics of a job, each as it is reported.
# jobId as in the third tab; "NewestMetrics" needs none.
subscription Metrics($jobId: ID!) {
  metrics(jobId: $jobId) {
    cursor
    state
    points {
      name
      iteration
      value
      at
    }
  }
}

query NewestMetrics {
  jobs(first: 1) {
    nodes {
      id
      name
      status
      metrics {
        name
        value
        iteration
      }
    }
  }
}
`,
    variables: { jobId: 'job_…' },
  },
];
