/** A tab that GraphiQL opens with for someone who has none of their own. */
export interface Tab {
  /** The page puts the newest project's id in place of `proj_…` and the newest job's in place of `job_…`, where there are some. */
  readonly query: string;
}

/** Create a job, watch it, its log, its metrics: in this order, a first walk through the product. */
export const TABS: readonly Tab[] = [
  {
    query: `# 1. Create a job: press the run button, or Ctrl-Enter.
#
# projectId is your newest project.
# An agent claims the step and runs the command, which takes
# half a minute. Go on to the second tab meanwhile: GraphiQL
# runs one operation at a time, so the tabs take turns. The
# answer has the id of the job, for the third and the fourth.
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
    query: `# 2. Watch all jobs that your key sees, live. It needs no id:
# run the first tab, then this one.
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
# Put the id that the first tab answered in place of job_…,
# or reload this page: it fills in your newest job.
# "NewestLog" needs no id: it reads its last lines.
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
# The id as in the third tab; "NewestMetrics" needs none.
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
