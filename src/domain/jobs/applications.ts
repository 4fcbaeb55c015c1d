/**
 * Applications: the catalogue of kinds of jobs, with the items and settings that each takes. It is
 * the same for all projects.
 */
import {
  addApplication,
  applicationByIdForJob,
  applicationByName,
  lockApplication,
  removeApplication,
  saveApplicationFields,
  unfinishedJobOfApplication,
} from '../../store/changes/applications.ts';
import type { Optional } from '../../store/optional.ts';
import type { ApplicationRow } from '../../store/schema/tables.ts';
import { type AuditSubject, audit, changedBetween, madeWith } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import { may, requireAllProjects } from '../access/rights.ts';
import { type Change, change } from '../core/change.ts';
import { Checks, type ContainerInput, containerOf } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { NotFound, nameTaken, wrongInput, wrongState } from '../core/refusals.ts';
import { SchemaUnusable } from '../core/schemas.ts';
import { later } from '../core/transitions.ts';
import type { ItemDefinition, ItemValueType } from '../core/vocabulary.ts';
import type { KeptApplication } from './input.ts';
import { checkValue } from './items.ts';

export interface ItemDefinitionInput {
  name: string;
  label?: Optional<string>;
  description?: Optional<string>;
  valueType: ItemValueType;
  defaultValue?: Optional<string>;
  options?: Optional<readonly string[]>;
  isRequired?: Optional<boolean>;
}

interface ApplicationInput {
  name?: Optional<string>;
  description?: Optional<string>;
  itemDefinitions?: Optional<readonly ItemDefinitionInput[]>;
  settingsSchema?: Optional<Record<string, unknown>>;
  container?: Optional<ContainerInput>;
  supportsContinualTraining?: Optional<boolean>;
}
export type CreateApplicationInput = ApplicationInput & { name: string };
export type UpdateApplicationInput = ApplicationInput & { applicationId: string };

/** An application belongs to no project. */
const subjectOf = ({ id, name }: ApplicationRow): AuditSubject => ({ type: 'APPLICATION', id, name, projectId: null });
const applicationFields = {
  shown: ['name', 'supportsContinualTraining'],
  named: ['description', 'itemDefinitions', 'settingsSchema', 'container'],
} as const;

export async function createApplication(
  domain: Domain,
  principal: Principal,
  input: CreateApplicationInput,
): Promise<{ application: ApplicationRow }> {
  requireAllProjects(principal, 'writeApplications');
  const itemDefinitions = (await checkApplication(domain, input)) ?? [];
  return change(domain, principal, async (change) => {
    const { tx, domain, now } = change;
    const application: ApplicationRow = {
      id: domain.ids.next('Application'),
      name: input.name,
      description: input.description ?? null,
      itemDefinitions,
      settingsSchema: input.settingsSchema ?? null,
      container: containerOf(input.container),
      supportsContinualTraining: input.supportsContinualTraining ?? false,
      createdAt: now,
      updatedAt: now,
    };
    if (await addApplication(tx, application)) {
      await audit(change, 'APPLICATION_CREATED', subjectOf(application), madeWith(application, applicationFields));
      return { application };
    }
    throw nameTaken.application(input.name, await applicationByName(tx, input.name));
  });
}

/**
 * Changes the given fields. Null leaves a field as it is. Existing jobs keep what they were created
 * with.
 */
export async function updateApplication(
  domain: Domain,
  principal: Principal,
  input: UpdateApplicationInput,
): Promise<{ application: ApplicationRow }> {
  requireAllProjects(principal, 'writeApplications');
  const itemDefinitions = await checkApplication(domain, input);
  const isTaken = wrongInput.applicationName();
  try {
    return await change(domain, principal, async (change) => {
      const { tx, now } = change;
      const application = await lockedApplication(tx, input.applicationId);
      const named = await applicationByName(tx, input.name ?? application.name);
      if (named && named.id !== application.id) throw isTaken;
      const updated: ApplicationRow = {
        ...application,
        name: input.name ?? application.name,
        description: input.description ?? application.description,
        itemDefinitions: itemDefinitions ?? application.itemDefinitions,
        settingsSchema: input.settingsSchema ?? application.settingsSchema,
        container: containerOf(input.container) ?? application.container,
        supportsContinualTraining: input.supportsContinualTraining ?? application.supportsContinualTraining,
        updatedAt: later(now, application.updatedAt),
      };
      await saveApplicationFields(tx, application.id, updated);
      const changes = changedBetween(application, updated, applicationFields);
      if (Object.keys(changes).length > 0) await audit(change, 'APPLICATION_CHANGED', subjectOf(updated), changes);
      return { application: updated };
    });
  } catch (error) {
    // Another change took the name since it was checked.
    throw domain.store.isUniqueViolation(error) ? isTaken : error;
  }
}

/**
 * Deletes the application. Refused while a job of it has not ended. Jobs that have ended keep what
 * they ran with.
 */
export async function deleteApplication(
  domain: Domain,
  principal: Principal,
  { applicationId }: { applicationId: string },
): Promise<{ deletedApplicationId: string }> {
  requireAllProjects(principal, 'writeApplications');
  return change(domain, principal, async (change) => {
    const { tx } = change;
    const application = await lockedApplication(tx, applicationId);
    const [unfinished] = await tx.run(unfinishedJobOfApplication, { applicationId });
    if (unfinished) throw wrongState.hasJob(unfinished);
    await removeApplication(tx, applicationId);
    await audit(change, 'APPLICATION_DELETED', subjectOf(application));
    return { deletedApplicationId: applicationId };
  });
}

/**
 * The application of a job to be created, read before the change. The change itself refuses one
 * that does not exist.
 */
export async function readApplication({ store }: Domain, principal: Principal, id: Optional<string>): Promise<ApplicationRow | undefined> {
  if (id === null || id === undefined || !may(principal, 'readApplications')) return undefined;
  return (await store.read.run(applicationByIdForJob, { id }))[0];
}

/** What a new job keeps of its application. Null if it has none. */
export async function applicationFor({ tx }: Change, principal: Principal, id: Optional<string>): Promise<KeptApplication | null> {
  if (id === null || id === undefined) return null;
  const [application] = may(principal, 'readApplications') ? await tx.run(applicationByIdForJob, { id }) : [];
  if (!application) throw new NotFound('application', id);
  const { name, itemDefinitions, settingsSchema, container, supportsContinualTraining } = application;
  return { id, name, itemDefinitions, settingsSchema, container, supportsContinualTraining };
}

async function lockedApplication(tx: Change['tx'], id: string): Promise<ApplicationRow> {
  const [application] = await tx.run(lockApplication, { id });
  if (!application) throw new NotFound('application', id);
  return application;
}

/** Returns the definitions of its items, as stored. Throws InvalidInput. */
async function checkApplication(domain: Domain, input: ApplicationInput): Promise<ItemDefinition[] | null> {
  const checks = new Checks(domain);
  checks.name(['name'], input.name);
  checks.text(['description'], input.description);
  const { itemDefinitions } = input;
  checks.count(['itemDefinitions'], itemDefinitions, checks.limits.itemsAtMost);
  checks.unique(
    ['itemDefinitions'],
    (itemDefinitions ?? []).map(({ name }) => name),
    'The item',
  );
  const definitions = itemDefinitions?.map((definition, i) => checkDefinition(checks, i, definition)) ?? null;
  const before = checks.issueCount;
  checks.json(['settingsSchema'], input.settingsSchema);
  if (input.settingsSchema && checks.issueCount === before) await checkSchema(checks, domain, input.settingsSchema);
  checks.container(['container'], input.container);
  checks.done();
  return definitions;
}

function checkDefinition(checks: Checks, i: number, input: ItemDefinitionInput): ItemDefinition {
  const path = ['itemDefinitions', i];
  const options = [...(input.options ?? [])];
  checks.name([...path, 'name'], input.name);
  checks.text([...path, 'label'], input.label, checks.limits.textAtMost);
  checks.text([...path, 'description'], input.description);
  checks.count([...path, 'options'], options, checks.limits.entriesAtMost);
  for (const [j, option] of options.entries()) checks.text([...path, 'options', j], option);
  checks.unique([...path, 'options'], options, 'The option');
  if (input.valueType === 'MULTI' && options.length === 0)
    checks.refuse([...path, 'options'], 'must not be empty: a MULTI item takes one of its options.');
  if (input.valueType !== 'MULTI' && options.length > 0)
    checks.refuse([...path, 'options'], `must not be given for an item of type ${input.valueType}: only MULTI has options.`);
  return {
    name: input.name,
    label: input.label ?? null,
    description: input.description ?? null,
    valueType: input.valueType,
    defaultValue: checkValue(checks, [...path, 'defaultValue'], input.defaultValue, { valueType: input.valueType, options }),
    options,
    isRequired: input.isRequired ?? false,
  };
}

/** The schema must be valid, its defaults must satisfy it, and some object must. */
async function checkSchema(checks: Checks, { schemas }: Domain, schema: Record<string, unknown>): Promise<void> {
  const path = ['settingsSchema'];
  try {
    const { defaults, problems } = await schemas.judge(JSON.stringify(schema), '{}');
    for (const { place, message } of problems) {
      if (place.length === 0 && /^must be [a-z,]+\.$/.test(message))
        checks.refuse(path, `accepts no object, but settings are one: it ${message}`);
      const isOfDefault = defaults.some((at) => at.length <= place.length && at.every((key, i) => place[i] === key));
      if (isOfDefault) checks.refuse(path, `has a default that breaks its own rules: ${place.join('.')} ${message}`);
    }
  } catch (error) {
    if (!(error instanceof SchemaUnusable)) throw error;
    if (error.problems.length === 0) checks.refuse(path, error.message);
    for (const { place, message } of error.problems) checks.refuse([...path, ...place], message);
  }
}
