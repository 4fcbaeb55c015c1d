/** Registers a device, or makes a new key for one, and shows the command that starts its agent. */
import { useSignal } from '@preact/signals';
import { unwrap } from '../../client/errors.ts';
import { readLabels } from '../format/labels.ts';
import { ProjectChoicesDocument, RegisterDeviceDocument, type RegisterDeviceInput } from '../generated.ts';
import { gateway } from '../streams/gateway.ts';
import { useQuery } from '../streams/query.ts';
import { viewer } from '../streams/viewer.ts';
import { Command } from './copy.tsx';
import { Dialog } from './dialog.tsx';
import { Field, placeIssues, Rest } from './field.tsx';

interface NewDeviceProps {
  /** Names that are taken. */
  readonly names: readonly string[];
  onClose(): void;
}

interface Made {
  readonly input: RegisterDeviceInput;
  readonly key: string;
}

const fields = [['name'], ['labels'], ['slots'], ['projectId'], ['kind']];

export function NewDevice({ names, onClose }: NewDeviceProps) {
  const name = useSignal('');
  const labels = useSignal('');
  const slots = useSignal('1');
  const kind = useSignal<'WORKER' | 'EDGE'>('WORKER');
  const projectId = useSignal('');
  const refusal = useSignal<Error | null>(null);
  const made = useSignal<Made | null>(null);
  const isBusy = useSignal(false);
  const { data } = useQuery(ProjectChoicesDocument, {});
  const register = async () => {
    if (names.includes(name.value.trim())) {
      refusal.value = new Error(`There is a device ${name.value.trim()} already. Make it a new key on its page.`);
      return;
    }
    isBusy.value = true;
    refusal.value = null;
    const input: RegisterDeviceInput = {
      name: name.value.trim(),
      labels: readLabels(labels.value),
      slots: Number(slots.value),
      kind: kind.value,
      projectId: projectId.value || null,
    };
    try {
      made.value = await makeKey(input);
    } catch (error) {
      refusal.value = error instanceof Error ? error : new Error(String(error));
    }
    isBusy.value = false;
  };
  const issues = placeIssues(refusal.value, fields);
  return (
    <Dialog label="Add a device" onClose={onClose}>
      <h2>Add a device</h2>
      {made.value ? (
        <StartCommand {...made.value} />
      ) : (
        <form
          class="form"
          onSubmit={(event) => {
            event.preventDefault();
            void register();
          }}
        >
          <Rest issues={issues} />
          <Field label="Name" isRequired problems={issues.at(['name'])}>
            <input
              name="name"
              required
              autocomplete="off"
              value={name.value}
              onInput={(event) => {
                name.value = event.currentTarget.value;
              }}
            />
          </Field>
          <div class="fields">
            <Field label="Labels" hint="gpu=a100 zone=lab: steps can require them" problems={issues.at(['labels'])}>
              <input
                name="labels"
                autocomplete="off"
                placeholder="key=value …"
                value={labels.value}
                onInput={(event) => {
                  labels.value = event.currentTarget.value;
                }}
              />
            </Field>
            <Field label="Slots" hint="How many steps it runs at once" problems={issues.at(['slots'])}>
              <input
                name="slots"
                type="number"
                min="1"
                value={slots.value}
                onInput={(event) => {
                  slots.value = event.currentTarget.value;
                }}
              />
            </Field>
            <Field label="Kind" problems={issues.at(['kind'])} hint="An edge device trains in federated jobs">
              <select
                name="kind"
                value={kind.value}
                onChange={(event) => {
                  kind.value = event.currentTarget.value === 'EDGE' ? 'EDGE' : 'WORKER';
                }}
              >
                <option value="WORKER">worker</option>
                <option value="EDGE">edge</option>
              </select>
            </Field>
            <Field label="Project" hint="The only one whose steps it runs" problems={issues.at(['projectId'])}>
              <select
                name="project"
                value={projectId.value}
                onChange={(event) => {
                  projectId.value = event.currentTarget.value;
                }}
              >
                {viewer.value?.project ? null : <option value="">all projects</option>}
                {data.value?.projects.nodes.map(({ id, name: title }) => (
                  <option key={id} value={id}>
                    {title}
                  </option>
                ))}
              </select>
            </Field>
          </div>
          <div class="buttons">
            <button type="submit" class="main" disabled={isBusy.value}>
              Make its key
            </button>
            <span class="muted">It is shown once.</span>
          </div>
        </form>
      )}
    </Dialog>
  );
}

/** Registers the device, or gives one of this name a new key. */
export async function makeKey(input: RegisterDeviceInput): Promise<Made> {
  const { apiKey } = unwrap((await gateway.request(RegisterDeviceDocument, { input })).registerDevice);
  if (apiKey === null) throw new Error(`There is a device ${input.name} already. Make it a new key on its page.`);
  return { input, key: apiKey };
}

/** The command that starts the agent of a device with its fresh key. */
export function StartCommand({ input: { name, labels, slots, kind }, key: secret }: Made) {
  const flags = [
    `--url ${location.origin}`,
    `--name ${quote(name)}`,
    ...(slots !== undefined && slots !== 1 ? [`--slots ${slots}`] : []),
    ...(labels ?? []).map(({ key, value }) => `--label ${quote(`${key}=${value}`)}`),
  ];
  if (kind === 'EDGE')
    return (
      <>
        <p>{name} is registered. Its program sends this key. It is not shown again.</p>
        <Command>{`Authorization: Bearer ${secret}`}</Command>
      </>
    );
  return (
    <>
      <p>{name} is registered. Run this on it, in a folder with Trainyard. The key is not shown again.</p>
      <Command>{`TRAINYARD_TOKEN=${secret} npx trainyard agent ${flags.join(' ')}`}</Command>
    </>
  );
}

/** As one word of a shell. */
const quote = (text: string): string => (/^[\w=.:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
