/** One application: what it is, and a form that makes a job of it. */
import { useRoute } from 'preact-iso';
import { Id } from '../components/copy.tsx';
import { JobForm } from '../components/job-form.tsx';
import { Empty, Panel, Problem, Skeleton } from '../components/panel.tsx';
import { Ago } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { ApplicationPageDocument } from '../generated.ts';
import { useQuery } from '../streams/query.ts';

export function ApplicationPage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  const { data, error, refresh } = useQuery(ApplicationPageDocument, { id });
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={8} />;
  const { application } = data.value;
  if (!application) return <Empty>There is no application at this address.</Empty>;
  setTitle(application.name);
  const { container, supportsContinualTraining, settingsSchema } = application;
  const command = [container?.entrypoint, container?.command].filter(Boolean).join(' ');
  return (
    <>
      <div class="head">
        <div>
          <h1>{application.name}</h1>
          <div class="facts">
            {container?.image && <span class="mono">{container.image}</span>}
            {command && <code class="ellipsis">{command}</code>}
            {supportsContinualTraining && <span>can start from a model version</span>}
            <span>
              changed <Ago at={application.updatedAt} />
            </span>
            <a class="link" href={`/jobs?application=${application.id}`}>
              its jobs
            </a>
            <Id id={application.id} />
          </div>
          {application.description && <p class="muted">{application.description}</p>}
        </div>
      </div>
      <div class="grid">
        <Panel title="New job">
          <JobForm key={application.id} application={application} />
        </Panel>
        {settingsSchema && (
          <details class="w12">
            <summary>JSON Schema of its settings</summary>
            <pre class="json">{JSON.stringify(settingsSchema, null, 2)}</pre>
          </details>
        )}
      </div>
    </>
  );
}
