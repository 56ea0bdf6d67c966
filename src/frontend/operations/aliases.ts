import {
  type FunctionReference,
  findFunction,
  functionArn,
  functionNotFound,
  provisionFunction,
  versionName,
} from '../../catalogue/mod.ts';
import { type AliasRecord, type FunctionRecord, LATEST } from '../../records/mod.ts';
import { conflict, invalidParameter, notFound } from '../api-error.ts';
import { changeFunction, staleRevision } from '../change.ts';
import { json, label, noContent, type Operation, readInput } from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { referenceOf, requireQualifier } from '../request-target.ts';
import type { Services } from '../services.ts';
import { map, number, type ShapeType, string, structure } from '../shapes.ts';
import { withoutQualifier } from '../without-qualifier.ts';

const versionShape = string({ max: 1024, min: 1, pattern: '(\\$LATEST|[0-9]+)' });
const details = {
  Description: string({ max: 256, min: 0 }),
  RoutingConfig: structure(
    {},
    {
      AdditionalVersionWeights: map(
        string({ max: 1024, min: 1, pattern: '[0-9]+' }),
        number({ max: 1, min: 0, whole: false }),
      ),
    },
  ),
} as const;
const createInput = structure(
  {
    Name: string({ max: 128, min: 1, pattern: '(?!^[0-9]+$)([a-zA-Z0-9-_]+)' }),
    FunctionVersion: versionShape,
  },
  details,
);
const updateInput = structure(
  {},
  { ...details, FunctionVersion: versionShape, RevisionId: string() },
);
type RoutingInput = ShapeType<typeof updateInput>['RoutingConfig'];

const collection = '/2015-03-31/functions/:FunctionName/aliases';

function render(services: Services, reference: FunctionReference, alias: AliasRecord): object {
  return {
    AliasArn: functionArn(services.region, reference, alias.name),
    Name: alias.name,
    FunctionVersion: versionName(alias.version),
    Description: alias.description,
    ...(Object.keys(alias.weights).length > 0
      ? { RoutingConfig: { AdditionalVersionWeights: alias.weights } }
      : {}),
    RevisionId: alias.revisionId,
  };
}

function numberOf(version: string): number {
  return version === '$LATEST' ? LATEST : Number(version);
}

/** Throws unless the alias points to versions that exist, in a way that can be served. */
function requireVersions(
  services: Services,
  record: FunctionRecord,
  alias: Pick<AliasRecord, 'version' | 'weights'>,
): void {
  const weighted = Object.keys(alias.weights);
  if (weighted.length > 1) {
    throw invalidParameter('Number of items in AdditionalVersionWeights cannot be greater than 1');
  }
  if (weighted.length > 0 && alias.version === LATEST) {
    throw invalidParameter('$LATEST is not supported for an alias pointing to more than 1 version');
  }
  for (const each of weighted) {
    if (Number(each) !== alias.version) continue;
    throw invalidParameter(
      `Invalid function version ${each}. Function version ${each} is already included in ` +
        'routing configuration.',
    );
  }
  const { accountId, name } = record;
  for (const each of [versionName(alias.version), ...weighted]) {
    requireQualifier(services, record, { accountId, name, qualifier: each });
  }
}

const weightsOf = (input: RoutingInput) => input?.AdditionalVersionWeights ?? {};

export function createAlias(services: Services): Operation {
  return {
    name: 'CreateAlias',
    method: 'POST',
    path: collection,
    async handle(request) {
      const reference = withoutQualifier(referenceOf(services, request, 'CreateAlias'));
      const input = readInput(request, createInput);
      const alias: AliasRecord = {
        name: input.Name,
        version: numberOf(input.FunctionVersion),
        description: input.Description ?? '',
        weights: weightsOf(input.RoutingConfig),
        revisionId: services.random.uuid(),
      };
      await changeFunction(services, reference, (record) => {
        requireVersions(services, record, alias);
        if (Object.hasOwn(record.aliases, alias.name)) {
          const arn = functionArn(services.region, reference, alias.name);
          throw conflict(`Alias already exists: ${arn}`);
        }
        return { function: { ...record, aliases: { ...record.aliases, [alias.name]: alias } } };
      });
      return json(201, render(services, reference, alias));
    },
  };
}

function aliasOf(record: FunctionRecord, name: string): AliasRecord | undefined {
  return Object.hasOwn(record.aliases, name) ? record.aliases[name] : undefined;
}

export function getAlias(services: Services): Operation {
  return {
    name: 'GetAlias',
    method: 'GET',
    path: `${collection}/:Name`,
    async handle(request) {
      const reference = withoutQualifier(referenceOf(services, request, 'GetAlias'));
      const name = label(request, 'Name');
      const arn = functionArn(services.region, reference, name);
      const record = await services.cache.read(reference);
      const alias = record && aliasOf(record, name);
      if (!alias) throw notFound(`Cannot find alias arn: ${arn}`);
      return json(200, render(services, reference, alias));
    },
  };
}

/** `UpdateAlias`: what the input names is replaced; an empty routing config ends the weights. */
export function updateAlias(services: Services): Operation {
  return {
    name: 'UpdateAlias',
    method: 'PUT',
    path: `${collection}/:Name`,
    async handle(request) {
      const reference = withoutQualifier(referenceOf(services, request, 'UpdateAlias'));
      const input = readInput(request, updateInput);
      const name = label(request, 'Name');
      const before = await findFunction(services, reference);
      const record = await changeFunction(services, reference, (current) => {
        const alias = aliasOf(current, name);
        if (!alias) {
          throw notFound(`Alias not found: ${functionArn(services.region, reference, name)}`);
        }
        if (input.RevisionId !== undefined && input.RevisionId !== alias.revisionId) {
          throw staleRevision('GetFunction/GetAlias');
        }
        const updated: AliasRecord = {
          name,
          version: input.FunctionVersion ? numberOf(input.FunctionVersion) : alias.version,
          description: input.Description ?? alias.description,
          weights: input.RoutingConfig ? weightsOf(input.RoutingConfig) : alias.weights,
          revisionId: services.random.uuid(),
        };
        requireVersions(services, current, updated);
        return { function: { ...current, aliases: { ...current.aliases, [name]: updated } } };
      });
      await provisionFunction(services, record, before);
      return json(200, render(services, reference, aliasOf(record, name)!));
    },
  };
}

/** `DeleteAlias`: what was configured for the alias goes with it. */
export function deleteAlias(services: Services): Operation {
  return {
    name: 'DeleteAlias',
    method: 'DELETE',
    path: `${collection}/:Name`,
    async handle(request) {
      const reference = withoutQualifier(referenceOf(services, request, 'DeleteAlias'));
      const name = label(request, 'Name');
      const without = <T>(all: Readonly<Record<string, T>>) => {
        const { [name]: _, ...rest } = all;
        return rest;
      };
      const before = await findFunction(services, reference);
      const record = await changeFunction(services, reference, (current) => {
        return {
          function: {
            ...current,
            aliases: without(current.aliases),
            policies: without(current.policies),
            eventInvokeConfigs: without(current.eventInvokeConfigs),
            provisionedConcurrency: without(current.provisionedConcurrency),
            runtimeManagement: without(current.runtimeManagement ?? {}),
            urls: without(current.urls),
          },
        };
      });
      await provisionFunction(services, record, before);
      return noContent;
    },
  };
}

interface Position {
  readonly name: string;
}

const isPosition = ({ name }: { name?: unknown }) => typeof name === 'string';

export function listAliases(services: Services): Operation {
  return {
    name: 'ListAliases',
    method: 'GET',
    path: collection,
    async handle(request) {
      const reference = withoutQualifier(referenceOf(services, request, 'ListAliases'));
      const record = await findFunction(services, reference);
      const only = request.query.get('FunctionVersion');
      if (only !== null && !/^(\$LATEST|\d{1,15})$/.test(only)) {
        throw functionNotFound(services.region, { ...reference, qualifier: only });
      }
      const { after, limit } = readPage<Position>(request, 10_000, isPosition);
      const rows = Object.values(record.aliases)
        .filter((each) => only === null || pointsTo(each, numberOf(only)))
        .filter((each) => after === undefined || each.name > after.name)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        Aliases: shown.map((each) => render(services, reference, each)),
        ...(rows.length > limit && last ? { NextMarker: writeMarker({ name: last.name }) } : {}),
      });
    },
  };
}

export function pointsTo(alias: AliasRecord, version: number): boolean {
  return alias.version === version || Object.hasOwn(alias.weights, String(version));
}
