/** A form that makes a job of an application. A refusal is shown at the field that it names. */
import { type Signal, useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { unwrap } from '../../client/errors.ts';
import { readLabels } from '../format/labels.ts';
import { fieldsOf, settingsFrom, WrongField } from '../format/settings-fields.ts';
import {
  type ApplicationPageQuery,
  CreateJobFromFormDocument,
  type CreateJobInput,
  type ItemValueType,
  ProjectChoicesDocument,
  StartVersionsDocument,
} from '../generated.ts';
import { gateway } from '../streams/gateway.ts';
import { useQuery } from '../streams/query.ts';
import { mayEdit } from '../streams/viewer.ts';
import { Field, placeIssues, Rest } from './field.tsx';
import { Choice, ItemControl, readLines, SettingControl, Text } from './form-controls.tsx';

type ShownApplication = NonNullable<ApplicationPageQuery['application']>;

/** Text of the fields, by the paths of what they set. */
type Texts = Signal<Readonly<Record<string, string>>>;

interface Sent {
  readonly text: string;
  readonly key: string;
  /** The names of its items, whose places the issues of a refusal name. */
  readonly items: readonly string[];
}

export function JobForm({ application }: { readonly application: ShownApplication }) {
  const { route } = useLocation();
  const { itemDefinitions, settingsSchema, supportsContinualTraining } = application;
  const settings = useMemo(() => fieldsOf(settingsSchema ?? {}), [settingsSchema]);
  const texts: Texts = useSignal({ name: application.name });
  const refusal = useSignal<Error | null>(null);
  const isBusy = useSignal(false);
  const sent = useRef<Sent>({ text: '', key: '', items: [] });
  const { data: choices } = useQuery(ProjectChoicesDocument, {});
  const projects = choices.value?.projects.nodes ?? [];
  const projectId = texts.value.projectId ?? projects[0]?.id ?? '';
  const { data: models } = useQuery(StartVersionsDocument, supportsContinualTraining && projectId ? { projectId } : null);
  const type = (name: string, text: string) => {
    texts.value = { ...texts.value, [name]: text };
  };
  const create = async () => {
    isBusy.value = true;
    refusal.value = null;
    // One that is required is sent without a value, so that the refusal names it.
    const items = itemDefinitions.filter(
      ({ name, isRequired, defaultValue }) => textOf(texts, `items.${name}`).trim() !== '' || (isRequired && defaultValue === null),
    );
    sent.current = { ...sent.current, items: items.map(({ name }) => name) };
    try {
      const input: CreateJobInput = {
        applicationId: application.id,
        projectId,
        name: textOf(texts, 'name'),
        priority: readPriority(textOf(texts, 'priority')),
        labels: readLabels(textOf(texts, 'labels')),
        startModelVersionId: textOf(texts, 'startModelVersionId') || null,
        items: items.map(({ name, valueType }) => ({ name, value: readItem(valueType, textOf(texts, `items.${name}`)) })),
        settings: settingsFrom(new Map(settings.map((field) => [field, textOf(texts, nameOf(field.path))]))),
      };
      const text = JSON.stringify(input);
      // Sent again after a lost connection, it makes no second job.
      if (sent.current.text !== text) sent.current = { ...sent.current, text, key: crypto.getRandomValues(new Uint32Array(4)).join('-') };
      const answer = await gateway.request(CreateJobFromFormDocument, { input: { ...input, idempotencyKey: sent.current.key } });
      route(`/jobs/${unwrap(answer.createJob).job.id}`);
    } catch (error) {
      refusal.value = error instanceof Error ? error : new Error(String(error));
    }
    isBusy.value = false;
  };
  const issues = placeIssues(refusal.value, [
    ...['name', 'projectId', 'priority', 'labels', 'startModelVersionId'].map((name) => [name]),
    ...sent.current.items.map((_, index) => ['items', String(index)]),
    ...settings.map(({ path }) => ['settings', ...path]),
  ]);
  const versions = (models.value?.models.nodes ?? []).flatMap((model) =>
    model.versions.nodes.map(({ id, number }) => ({ id, shown: `${model.name}, version ${number}` })),
  );
  const disabled = mayEdit() ? undefined : 'It takes the role EDITOR.';
  const control = (name: string) => ({ name, value: textOf(texts, name), onText: (text: string) => type(name, text) });
  return (
    <form
      class="form job-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <Rest issues={issues} />
      <div class="fields">
        <Field label="Name" isRequired problems={issues.at(['name'])}>
          <Text {...control('name')} />
        </Field>
        <Field label="Project" isRequired problems={issues.at(['projectId'])}>
          <Choice {...control('projectId')} value={projectId} options={projects.map(({ id, name }) => [id, name])} />
        </Field>
        <Field label="Labels" hint="team=vision night=yes: to find it by" problems={issues.at(['labels'])}>
          <Text {...control('labels')} placeholder="key=value …" />
        </Field>
        <Field label="Priority" hint="Higher ones are claimed first" problems={issues.at(['priority'])}>
          <Text {...control('priority')} isNumber placeholder="0" />
        </Field>
        {supportsContinualTraining && (
          <Field label="Start from" problems={issues.at(['startModelVersionId'])}>
            <Choice {...control('startModelVersionId')} empty={null} options={versions.map(({ id, shown }) => [id, shown])} />
          </Field>
        )}
      </div>
      {itemDefinitions.length > 0 && (
        <fieldset>
          <legend>Items</legend>
          <div class="fields">
            {itemDefinitions.map((item) => (
              <ItemControl
                key={item.name}
                item={item}
                problems={issues.at(['items', String(sent.current.items.indexOf(item.name))])}
                {...control(`items.${item.name}`)}
              />
            ))}
          </div>
        </fieldset>
      )}
      {settingsSchema && (
        <fieldset>
          <legend>Settings</legend>
          <div class="fields">
            {settings.map((field) => (
              <SettingControl
                key={nameOf(field.path)}
                field={field}
                problems={issues.at(['settings', ...field.path])}
                {...control(nameOf(field.path))}
              />
            ))}
          </div>
        </fieldset>
      )}
      <div class="buttons">
        <button type="submit" class="main" disabled={isBusy.value || disabled !== undefined} title={disabled}>
          Create the job
        </button>
        {refusal.value && <span class="refused">It was not created. What you typed is kept.</span>}
        {disabled && <span class="muted">{disabled}</span>}
      </div>
    </form>
  );
}

function readPriority(text: string): number {
  const priority = Number(text);
  if (!Number.isInteger(priority)) throw new WrongField(['priority'], 'must be a whole number.');
  return priority;
}

const readItem = (type: ItemValueType, text: string): string | null =>
  text === '' ? null : type === 'STRING_ARRAY' ? JSON.stringify(readLines(text)) : text;

const textOf = (texts: Texts, name: string): string => texts.value[name] ?? '';
const nameOf = (path: readonly string[]): string => ['settings', ...path].join('.');
