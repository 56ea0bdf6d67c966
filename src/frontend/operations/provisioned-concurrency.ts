import { limits } from '../../base/mod.ts';
import {
  type FunctionReference,
  findFunction,
  findTarget,
  functionArn,
  type ProvisionedState,
  provisionFunction,
  servingVersion,
} from '../../catalogue/mod.ts';
import {
  concurrencyProvisioned,
  concurrencySetAside,
  type FunctionRecord,
  LATEST,
  type ProvisionedConcurrencyRecord,
} from '../../records/mod.ts';
import { ApiError, conflict, invalidParameter } from '../api-error.ts';
import { changeFunction } from '../change.ts';
import { type ApiRequest, json, noContent, type Operation, readInput } from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { isoDate } from '../rendering.ts';
import { referenceOf, requireQualifier } from '../request-target.ts';
import type { Services } from '../services.ts';
import { number, structure } from '../shapes.ts';
import { refuseForTenancy } from '../tenancy.ts';

const path = '/2019-09-30/functions/:FunctionName/provisioned-concurrency';
const input = structure({ ProvisionedConcurrentExecutions: number({ min: 1 }) }, {});

const unpublished = () =>
  invalidParameter(
    'Provisioned Concurrency Configs cannot be applied to unpublished function versions.',
  );

/** Provisioned concurrency needs a version that does not change. */
function qualified(services: Services, request: ApiRequest, operation: string) {
  const reference = referenceOf(services, request, operation);
  const { qualifier } = reference;
  if (qualifier === '$LATEST') throw unpublished();
  if (qualifier === undefined) {
    throw invalidParameter(
      'The function resource provided must be an alias or a published version.',
    );
  }
  return { reference, qualifier };
}

async function render(
  services: Services,
  reference: FunctionReference,
  record: ProvisionedConcurrencyRecord,
): Promise<Record<string, unknown>> {
  const target = await findTarget(services, reference);
  const nothing: ProvisionedState = { allocated: 0, available: 0, status: 'IN_PROGRESS' };
  const version = servingVersion(services.region, target);
  const state = (await services.provisioner?.provisioned(version)) ?? nothing;
  return {
    RequestedProvisionedConcurrentExecutions: record.requested,
    AvailableProvisionedConcurrentExecutions: state.available,
    AllocatedProvisionedConcurrentExecutions: state.allocated,
    Status: state.status,
    ...(state.statusReason ? { StatusReason: state.statusReason } : {}),
    LastModified: isoDate(record.lastModifiedMs),
  };
}

/** An alias and the version behind it cannot both have provisioned concurrency. */
function requireOneWay(record: FunctionRecord, qualifier: string): void {
  const alias = Object.hasOwn(record.aliases, qualifier) ? record.aliases[qualifier] : undefined;
  if (alias?.version === LATEST) throw unpublished();
  const configured = Object.keys(record.provisionedConcurrency);
  if (alias && configured.includes(String(alias.version))) {
    throw conflict(
      "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned " +
        'version',
    );
  }
  const pointing = configured.some((each) => String(record.aliases[each]?.version) === qualifier);
  if (!alias && pointing) throw conflict('Version is pointed by a Provisioned Concurrency alias');
}

function requireRoom(record: FunctionRecord, more: number, reservedTotal: number): void {
  const provisioned = concurrencyProvisioned(record) + more;
  const { reservedConcurrency } = record;
  if (reservedConcurrency !== undefined) {
    if (provisioned <= reservedConcurrency) return;
    throw invalidParameter(
      'Requested Provisioned Concurrency should not be greater than the ' +
        'reservedConcurrentExecution for function',
    );
  }
  const { accountConcurrency, unreservedConcurrencyMin } = limits.lambda;
  const unreserved = accountConcurrency - (reservedTotal - concurrencySetAside(record));
  if (provisioned > unreserved) {
    throw invalidParameter(
      "Specified ConcurrentExecutions for function is greater than account's unreserved " +
        `concurrency [${unreserved}].`,
    );
  }
  if (unreserved - provisioned < unreservedConcurrencyMin) {
    throw invalidParameter(
      "Specified ConcurrentExecutions for function decreases account's " +
        `UnreservedConcurrentExecution below its minimum value of [${unreservedConcurrencyMin}].`,
    );
  }
}

export function putProvisionedConcurrencyConfig(services: Services): Operation {
  return {
    name: 'PutProvisionedConcurrencyConfig',
    method: 'PUT',
    path,
    async handle(request) {
      const { reference, qualifier } = qualified(
        services,
        request,
        'PutProvisionedConcurrencyConfig',
      );
      const { ProvisionedConcurrentExecutions: requested } = readInput(request, input);
      if (!services.provisioner) {
        throw invalidParameter('Provisioned concurrency is not enabled in this region.');
      }
      const config = { requested, lastModifiedMs: services.clock.nowMs() };
      const before = await findFunction(services, reference);
      requireQualifier(services, before, reference);
      refuseForTenancy(before, 'Provisioned concurrency');
      servingVersion(services.region, await findTarget(services, reference));
      const record = await changeFunction(services, reference, (current, totals) => {
        requireQualifier(services, current, reference);
        requireOneWay(current, qualifier);
        const known = configOf(current, qualifier)?.requested ?? 0;
        requireRoom(current, requested - known, totals.reservedConcurrency);
        const all = { ...current.provisionedConcurrency, [qualifier]: config };
        return { function: { ...current, provisionedConcurrency: all } };
      });
      await provisionFunction(services, record, before);
      return json(202, await render(services, reference, config));
    },
  };
}

function configOf(record: FunctionRecord, qualifier: string) {
  const all = record.provisionedConcurrency;
  return Object.hasOwn(all, qualifier) ? all[qualifier] : undefined;
}

const none = () =>
  new ApiError(
    'ProvisionedConcurrencyConfigNotFoundException',
    'No Provisioned Concurrency Config found for this function',
  );

export function getProvisionedConcurrencyConfig(services: Services): Operation {
  return {
    name: 'GetProvisionedConcurrencyConfig',
    method: 'GET',
    path,
    async handle(request) {
      if (request.query.get('List') === 'ALL') return list(services, request);
      const { reference, qualifier } = qualified(
        services,
        request,
        'GetProvisionedConcurrencyConfig',
      );
      const record = await findFunction(services, reference);
      requireQualifier(services, record, reference);
      const config = configOf(record, qualifier);
      if (!config) throw none();
      return json(200, await render(services, reference, config));
    },
  };
}

interface Position {
  readonly qualifier: string;
}

const isPosition = ({ qualifier }: { qualifier?: unknown }) => typeof qualifier === 'string';

/** `ListProvisionedConcurrencyConfigs` shares its path with the one above. */
async function list(services: Services, request: ApiRequest) {
  const reference = referenceOf(services, request, 'ListProvisionedConcurrencyConfigs');
  const record = await findFunction(services, reference);
  const { after, limit } = readPage<Position>(request, 50, isPosition);
  const rows = Object.entries(record.provisionedConcurrency)
    .filter(([qualifier]) => after === undefined || qualifier > after.qualifier)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const rendered = shown.map(async ([qualifier, config]) => ({
    ...(await render(services, { ...reference, qualifier }, config)),
    FunctionArn: functionArn(services.region, reference, qualifier),
  }));
  return json(200, {
    ProvisionedConcurrencyConfigs: await Promise.all(rendered),
    ...(rows.length > limit && last ? { NextMarker: writeMarker({ qualifier: last[0] }) } : {}),
  });
}

export function deleteProvisionedConcurrencyConfig(services: Services): Operation {
  return {
    name: 'DeleteProvisionedConcurrencyConfig',
    method: 'DELETE',
    path,
    async handle(request) {
      const { reference, qualifier } = qualified(
        services,
        request,
        'DeleteProvisionedConcurrencyConfig',
      );
      const before = await findFunction(services, reference);
      const record = await changeFunction(services, reference, (current) => {
        requireQualifier(services, current, reference);
        const { [qualifier]: _, ...provisionedConcurrency } = current.provisionedConcurrency;
        return { function: { ...current, provisionedConcurrency } };
      });
      await provisionFunction(services, record, before);
      return noContent;
    },
  };
}
