/** What a new gateway shows: what this is, and a first job. */
import { useLocation } from 'preact-iso';
import { unwrap } from '../../../client/errors.ts';
import { Action } from '../../components/action.tsx';
import { Command } from '../../components/copy.tsx';
import { Empty } from '../../components/panel.tsx';
import { CreateFirstJobDocument, CreateFirstProjectDocument, NewestProjectDocument } from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';
import { mayEdit, viewer } from '../../streams/viewer.ts';

/** The first job of the README. */
const script = `for i in 1 2 3; do echo "epoch $i"; echo "{\\"iteration\\": $i, \\"loss\\": 0.$((9-i))}" >> "$TRAINYARD_METRICS"; sleep 1; done; echo done > fragments/result.txt`;

export function FirstRun() {
  const { route } = useLocation();
  const run = async () => {
    const input = { projectId: await findProject(), name: 'hello', container: { command: script } };
    const { job } = unwrap((await gateway.request(CreateFirstJobDocument, { input })).createJob);
    route(`/jobs/${job.id}`);
  };
  return (
    <div class="panel first-run">
      <Empty>
        <h1>Nothing has run yet.</h1>
        <p>Trainyard runs machine-learning jobs on your devices, and shows each log line and metric as it is written.</p>
        <p>Run a first job from a terminal in the folder of the gateway, and watch it here:</p>
        <Command>{`npx trainyard submit --name hello --follow -- sh -c '${script}'`}</Command>
        <Action isMain run={run} disabled={mayEdit() ? undefined : 'It takes the role EDITOR.'}>
          Run it now
        </Action>
      </Empty>
    </div>
  );
}

/** The project of the key, or the newest, or a first one. */
async function findProject(): Promise<string> {
  const own = viewer.value?.project?.id ?? (await gateway.request(NewestProjectDocument, {})).projects.nodes[0]?.id;
  if (own !== undefined) return own;
  const input = { name: 'First project' };
  return unwrap((await gateway.request(CreateFirstProjectDocument, { input })).createProject).project.id;
}
