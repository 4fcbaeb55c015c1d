/** A tab of GraphiQL for people who have none of their own yet. */
export interface Tab {
  /** The page replaces `proj_…` and `job_…` by the ids of the newest project and job, if any. */
  readonly query: string;
}

/** A first tour of the product: create a job, watch it, read its log and its metrics. */
export const TABS: readonly Tab[] = [
  {
    query: `# 1. Create a job: press the run button, or
# Ctrl-Enter. projectId is your newest project.
#
# An agent claims the step and runs the command,
# which takes half a minute. Meanwhile go on to the
# second tab. GraphiQL runs one operation at a time.
# The third and fourth tab take the id of the job.
mutation CreateJob {
  createJob(
    input: {
      projectId: "proj_…"
      name: "Count to thirty"
      steps: [
        {
          name: "Count"
          container: {
            command: """
            for i in $(seq 1 30); do
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
  },
  {
    query: `# 2. Watch all jobs that your key sees, live.
# Run the first tab, then this one.
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
    query: `# 3. The log of a job: what is stored, then what
# is written.
#
# Replace job_… by the id that the first tab
# answered, or reload this page: it fills in your
# newest job. "NewestLog" needs no id: it reads the
# last lines of the newest job.
subscription Log {
  log(jobId: "job_…") {
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
  },
  {
    query: `# 4. The metrics of a job, each as it is reported.
# The id as in the third tab. "NewestMetrics" needs
# none.
subscription Metrics {
  metrics(jobId: "job_…") {
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
  },
];
