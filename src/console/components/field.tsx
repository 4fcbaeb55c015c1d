/** A field of a form, with what the gateway said about it. */
import type { ComponentChildren } from 'preact';
import { type InputIssue, Refused } from '../../client/errors.ts';
import { WrongField } from '../format/settings-fields.ts';

interface FieldProps {
  readonly label: ComponentChildren;
  readonly hint?: ComponentChildren;
  readonly isRequired?: boolean;
  /** What is wrong with its value. */
  readonly problems?: readonly string[];
  /** The input, select or textarea. */
  readonly children: ComponentChildren;
}

export function Field({ label, hint, isRequired = false, problems = [], children }: FieldProps) {
  return (
    <div class={problems.length > 0 ? 'field wrong' : 'field'}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is in it */}
      <label>
        <span class="name">
          {label}
          {isRequired && <span class="faint"> required</span>}
        </span>
        {children}
      </label>
      {hint && <p class="hint">{hint}</p>}
      {problems.map((problem) => (
        <p class="refused" role="alert" key={problem}>
          {problem}
        </p>
      ))}
    </div>
  );
}

/** What a refusal says: at each field that it names, and above the form. */
export interface PlacedIssues {
  at(path: readonly string[]): readonly string[];
  /** What names no field of the form. */
  readonly rest: readonly string[];
}

/**
 * Places the issues of a refusal.
 * @param fields the paths of the form's fields in the input. An issue below a field is the field's.
 */
export function placeIssues(error: Error | null, fields: readonly (readonly string[])[]): PlacedIssues {
  const placed = new Map<string, string[]>();
  const rest: string[] = [];
  const issues: readonly InputIssue[] = error instanceof Refused ? error.issues : error instanceof WrongField ? [error] : [];
  if (error && issues.length === 0) rest.push(error.message);
  for (const { path, message } of issues) {
    const [nearest] = fields
      .filter((field) => field.every((part, index) => path[index] === part))
      .sort((one, other) => other.length - one.length);
    if (nearest === undefined) rest.push(`${path.join('.')} ${message}`);
    else placed.set(JSON.stringify(nearest), [...(placed.get(JSON.stringify(nearest)) ?? []), message]);
  }
  return { at: (path) => placed.get(JSON.stringify(path)) ?? [], rest };
}

/** What a refusal says that no field shows. */
export function Rest({ issues }: { readonly issues: PlacedIssues }) {
  if (issues.rest.length === 0) return null;
  return (
    <div class="problem" role="alert">
      {issues.rest.map((message) => (
        <p key={message}>{message}</p>
      ))}
    </div>
  );
}
