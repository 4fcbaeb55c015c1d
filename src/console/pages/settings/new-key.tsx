/** Makes a key, and shows it once. */
import { useSignal } from '@preact/signals';
import { unwrap } from '../../../client/errors.ts';
import { Command } from '../../components/copy.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { Field, placeIssues, Rest } from '../../components/field.tsx';
import { Choice, Text } from '../../components/form-controls.tsx';
import { CreateKeyDocument, ProjectChoicesDocument, type Role } from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';
import { useQuery } from '../../streams/query.ts';
import { viewer } from '../../streams/viewer.ts';

const roles: readonly (readonly [role: Role, what: string])[] = [
  ['VIEWER', 'VIEWER: reads'],
  ['EDITOR', 'EDITOR: makes and changes jobs, devices, files'],
  ['ADMIN', 'ADMIN: everything, keys and deletions too'],
];

const HOUR = 3_600;
const lives = [
  [String(24 * HOUR), 'a day'],
  [String(7 * 24 * HOUR), 'a week'],
  [String(90 * 24 * HOUR), '90 days'],
  [String(365 * 24 * HOUR), 'a year'],
  ['', 'until it is revoked'],
] as const;

const fields = ['name', 'kind', 'role', 'projectId', 'jobId', 'expiresInSeconds'].map((name) => [name]);

export function NewKey({ onClose }: { onClose(): void }) {
  const isAdmin = viewer.value?.role === 'ADMIN';
  const name = useSignal('');
  const kind = useSignal(isAdmin ? 'USER' : 'WATCH');
  const role = useSignal('VIEWER');
  const projectId = useSignal('');
  const jobId = useSignal('');
  const life = useSignal<string>(lives[2][0]);
  const refusal = useSignal<Error | null>(null);
  const secret = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const { data } = useQuery(ProjectChoicesDocument, {});
  const create = async () => {
    isBusy.value = true;
    refusal.value = null;
    const isForUser = kind.value === 'USER';
    try {
      const input = {
        name: name.value,
        kind: isForUser ? 'USER' : 'WATCH',
        role: isForUser ? (roles.find(([one]) => one === role.value)?.[0] ?? 'VIEWER') : null,
        projectId: isForUser ? projectId.value || null : null,
        jobId: isForUser ? null : jobId.value.trim(),
        expiresInSeconds: life.value === '' ? null : Number(life.value),
      } as const;
      secret.value = unwrap((await gateway.request(CreateKeyDocument, { input })).createApiKey).secret;
    } catch (error) {
      refusal.value = error instanceof Error ? error : new Error(String(error));
    }
    isBusy.value = false;
  };
  const issues = placeIssues(refusal.value, fields);
  const control = (signal: { value: string }, called: string) => ({
    name: called,
    value: signal.value,
    onText: (text: string) => {
      signal.value = text;
    },
  });
  return (
    <Dialog label="New key" onClose={onClose}>
      <h2>New key</h2>
      {secret.value === null ? (
        <form
          class="form"
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            void create();
          }}
        >
          <Rest issues={issues} />
          <Field label="Name" isRequired hint="Events and the audit trail name its user by it" problems={issues.at(['name'])}>
            <Text {...control(name, 'name')} />
          </Field>
          <div class="fields">
            <Field label="Kind" problems={issues.at(['kind'])}>
              <Choice
                {...control(kind, 'kind')}
                options={[...(isAdmin ? ([['USER', 'a person or a program']] as const) : []), ['WATCH', 'a link to one job']]}
              />
            </Field>
            {kind.value === 'USER' ? (
              <>
                <Field label="Role" problems={issues.at(['role'])}>
                  <Choice {...control(role, 'role')} options={roles} />
                </Field>
                <Field label="Project" problems={issues.at(['projectId'])}>
                  <Choice
                    {...control(projectId, 'projectId')}
                    options={[
                      ['', viewer.value?.project?.name ?? 'all projects'],
                      ...(data.value?.projects.nodes ?? []).map(({ id, name: title }) => [id, title] as const),
                    ]}
                  />
                </Field>
              </>
            ) : (
              <Field label="Job" isRequired hint="Its id: job_…" problems={issues.at(['jobId'])}>
                <Text {...control(jobId, 'jobId')} />
              </Field>
            )}
            <Field label="It works for" problems={issues.at(['expiresInSeconds'])}>
              <Choice {...control(life, 'life')} options={lives} />
            </Field>
          </div>
          <div class="buttons">
            <button type="submit" class="main" disabled={isBusy.value}>
              Create the key
            </button>
            <span class="muted">It is shown once.</span>
          </div>
        </form>
      ) : (
        <>
          <p>The key {name.value}. Copy it now: it is not shown again.</p>
          <Command>{kind.value === 'WATCH' ? `${location.origin}/jobs/${jobId.value.trim()}#key=${secret.value}` : secret.value}</Command>
        </>
      )}
    </Dialog>
  );
}
