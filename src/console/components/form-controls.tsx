/** The control for one item or setting of a job, by its type. */

import type { SettingField } from '../format/settings-fields.ts';
import type { ApplicationPageQuery } from '../generated.ts';
import { Field } from './field.tsx';

interface ControlProps {
  readonly name: string;
  readonly value: string;
  readonly problems: readonly string[];
  onText(text: string): void;
}

type Item = NonNullable<ApplicationPageQuery['application']>['itemDefinitions'][number];

export function ItemControl({ item, problems, ...control }: ControlProps & { readonly item: Item }) {
  const { valueType, options, defaultValue, isRequired } = item;
  return (
    <Field label={item.label ?? item.name} hint={item.description} isRequired={isRequired && defaultValue === null} problems={problems}>
      {valueType === 'BOOL' ? (
        <Choice {...control} empty={defaultValue} options={bothWays} />
      ) : valueType === 'MULTI' ? (
        <Choice {...control} empty={defaultValue} options={options.map((option) => [option, option])} />
      ) : valueType === 'STRING_ARRAY' ? (
        <Area {...control} placeholder={defaultValue === null ? 'one a line' : showLines(defaultValue)} />
      ) : (
        <Text {...control} isNumber={valueType !== 'TEXT'} placeholder={defaultValue ?? ''} />
      )}
    </Field>
  );
}

export function SettingControl({ field, problems, ...control }: ControlProps & { readonly field: SettingField }) {
  const { kind, defaultValue, path } = field;
  const inGroup = path.length > 1 && <span class="faint">{path.slice(0, -1).join('.')}.</span>;
  const shownDefault = defaultValue === undefined ? null : typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue);
  return (
    <Field
      label={
        <>
          {inGroup}
          {field.title}
        </>
      }
      hint={field.description}
      isRequired={field.isRequired && defaultValue === undefined}
      problems={problems}
    >
      {kind === 'boolean' ? (
        <Choice {...control} empty={shownDefault} options={bothWays} />
      ) : kind === 'choice' ? (
        <Choice
          {...control}
          empty={shownDefault}
          options={field.choices.map((choice) => [JSON.stringify(choice), typeof choice === 'string' ? choice : JSON.stringify(choice)])}
        />
      ) : kind === 'json' ? (
        <Area {...control} placeholder={shownDefault ?? 'JSON'} />
      ) : (
        <Text {...control} isNumber={kind === 'number'} placeholder={shownDefault ?? ''} />
      )}
    </Field>
  );
}

const bothWays = [
  ['true', 'true'],
  ['false', 'false'],
] as const;

export type Controlled = Omit<ControlProps, 'problems'>;

/** Numbers are text here too: the browser would drop what it does not take for one. */
export function Text({
  name,
  value,
  onText,
  isNumber = false,
  placeholder = '',
}: Controlled & { readonly isNumber?: boolean; readonly placeholder?: string }) {
  return (
    <input
      name={name}
      value={value}
      class={isNumber ? 'mono' : undefined}
      inputMode={isNumber ? 'decimal' : 'text'}
      autocomplete="off"
      placeholder={placeholder}
      onInput={(event) => onText(event.currentTarget.value)}
    />
  );
}

interface ChoiceProps extends Controlled {
  /** What applies when nothing is chosen. Left out: something has to be. */
  readonly empty?: string | null;
  readonly options: readonly (readonly [value: string, shown: string])[];
}

export function Choice({ name, value, onText, empty, options }: ChoiceProps) {
  return (
    <select name={name} value={value} onChange={(event) => onText(event.currentTarget.value)}>
      {empty !== undefined && <option value="">{empty === null ? '–' : `${empty} (default)`}</option>}
      {options.map(([option, shown]) => (
        <option key={option} value={option}>
          {shown}
        </option>
      ))}
    </select>
  );
}

function Area({ name, value, onText, placeholder }: Controlled & { readonly placeholder: string }) {
  return (
    <textarea
      name={name}
      value={value}
      rows={3}
      spellcheck={false}
      placeholder={placeholder}
      onInput={(event) => onText(event.currentTarget.value)}
    />
  );
}

/** A list of strings: a line an entry. */
export const readLines = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

function showLines(json: string): string {
  const list: unknown = JSON.parse(json);
  return Array.isArray(list) ? list.join('\n') : json;
}
