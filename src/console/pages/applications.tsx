/** The catalogue: programs that jobs are made of. */
import { useLocation } from 'preact-iso';
import { Pager } from '../components/pager.tsx';
import { Empty, Problem, Skeleton } from '../components/panel.tsx';
import { useRowKeys } from '../components/row-keys.ts';
import { Ago } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { fieldsOf } from '../format/settings-fields.ts';
import { ApplicationTableDocument, type ApplicationTableQuery } from '../generated.ts';
import { useQuery } from '../streams/query.ts';

export function ApplicationsPage() {
  setTitle('Applications');
  const { query } = useLocation();
  const { data, error, refresh } = useQuery(ApplicationTableDocument, { after: query.after ?? null });
  const applications = data.value?.applications;
  return (
    <>
      <div class="head">
        <div>
          <h1>Applications</h1>
        </div>
      </div>
      {error.value && <Problem error={error.value} onRetry={refresh} />}
      {!applications && !error.value && <Skeleton rows={4} />}
      {applications?.nodes.length === 0 && (
        <Empty>
          <p>No application yet. An application names a program and the settings that its jobs take: this page makes a form of them.</p>
          <p>
            Add one with <code>createApplication</code> in <a href="/graphql">GraphiQL</a>.
          </p>
        </Empty>
      )}
      {applications && applications.nodes.length > 0 && (
        <>
          <Table applications={applications.nodes} />
          <Pager shown={applications.nodes.length} total={applications.totalCount} pageInfo={applications.pageInfo} />
        </>
      )}
    </>
  );
}

function Table({ applications }: { readonly applications: ApplicationTableQuery['applications']['nodes'] }) {
  const chosen = useRowKeys(applications.map(({ id }) => `/applications/${id}`));
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col">Application</th>
            <th scope="col" class="wide">
              What it does
            </th>
            <th scope="col" class="right">
              Fields
            </th>
            <th scope="col" class="right wide">
              Changed
            </th>
          </tr>
        </thead>
        <tbody>
          {applications.map(({ id, name, description, itemDefinitions, settingsSchema, updatedAt }, index) => (
            <tr key={id} aria-selected={chosen.value === index}>
              <th scope="row">
                <a href={`/applications/${id}`}>{name}</a>
              </th>
              <td class="wide muted">{description}</td>
              <td class="right mono">{itemDefinitions.length + (settingsSchema ? fieldsOf(settingsSchema).length : 0)}</td>
              <td class="right wide">
                <Ago at={updatedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
