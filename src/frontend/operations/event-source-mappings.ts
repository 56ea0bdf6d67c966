import { isSluiceError } from '../../base/mod.ts';
import { type FunctionReference, functionArn } from '../../catalogue/mod.ts';
import type { EventSourceMappingRecord, MappingState } from '../../records/mod.ts';
import { ApiError, conflict } from '../api-error.ts';
import { authorize, authorizeFunction } from '../authorization.ts';
import { parseFunctionReference } from '../function-name.ts';
import {
  findMapping,
  mappingArn,
  mappingMissing,
  readFunction,
  requireFunction,
  requireQueue,
  targetArn,
} from '../mapping-checks.ts';
import {
  defaultMappingSettings,
  mergeMappingSettings,
  readCreateMapping,
  readUpdateMapping,
  requireConsistent,
  requireQueueArn,
} from '../mapping-input.ts';
import { json, label, type Operation } from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import type { Services } from '../services.ts';
import { requireTags } from './tags.ts';

const path = '/2015-03-31/event-source-mappings';

function render(services: Services, record: EventSourceMappingRecord): object {
  const { uuid, accountId, filters, maximumConcurrency, metrics, provisionedPollers } = record;
  return {
    UUID: uuid,
    BatchSize: record.batchSize,
    MaximumBatchingWindowInSeconds: record.batchingWindowSeconds,
    EventSourceArn: record.eventSourceArn,
    ...(filters ? { FilterCriteria: { Filters: filters.map((Pattern) => ({ Pattern })) } } : {}),
    FunctionArn: targetArn(services, record),
    LastModified: record.lastModifiedMs / 1000,
    State: record.state,
    StateTransitionReason: 'USER_INITIATED',
    FunctionResponseTypes: record.reportsItemFailures ? ['ReportBatchItemFailures'] : [],
    EventSourceMappingArn: mappingArn(services, accountId, uuid),
    ...(maximumConcurrency === undefined
      ? {}
      : { ScalingConfig: { MaximumConcurrency: maximumConcurrency } }),
    ...(metrics ? { MetricsConfig: { Metrics: metrics } } : {}),
    ...(provisionedPollers
      ? {
          ProvisionedPollerConfig: {
            MinimumPollers: provisionedPollers.minimum,
            MaximumPollers: provisionedPollers.maximum,
          },
        }
      : {}),
  };
}

/** The API's words for what the store refuses. */
function storeError(record: EventSourceMappingRecord, error: unknown): unknown {
  if (isSluiceError(error, 'MAPPING_EXISTS')) {
    return conflict(
      `The event source arn (" ${record.eventSourceArn} ") and function (" ` +
        `${record.functionName} ") provided mapping already exists. Please update or delete the ` +
        `existing mapping with UUID ${error.data['uuid']}`,
    );
  }
  return isSluiceError(error, 'MAPPING_NOT_FOUND') ? mappingMissing() : error;
}

export function createEventSourceMapping(services: Services): Operation {
  const name = 'CreateEventSourceMapping';
  return {
    ...{ name, method: 'POST', path },
    async handle(request) {
      const { accountId } = request.caller;
      const uuid = services.random.uuid();
      const input = readCreateMapping(request);
      const reference = readFunction(services, request, name, input.FunctionName);
      const ofFunction = functionArn(services.region, reference, reference.qualifier);
      authorize(services, request, name, mappingArn(services, accountId, uuid), ofFunction);
      await requireFunction(services, reference);
      const eventSourceArn = requireQueueArn(input.EventSourceArn);
      const settings = mergeMappingSettings(defaultMappingSettings, input);
      requireConsistent(settings, eventSourceArn);
      requireTags(input.Tags ?? {});
      await requireQueue(services, reference, eventSourceArn);
      const { qualifier } = reference;
      const record: EventSourceMappingRecord = {
        ...{ uuid, accountId, eventSourceArn, functionName: reference.name },
        ...(qualifier === undefined ? {} : { qualifier }),
        ...settings,
        ...{ state: 'Creating', revision: 1, lastModifiedMs: services.clock.nowMs() },
        tags: input.Tags ?? {},
      };
      try {
        await services.eventSources.mappings.insert(record);
      } catch (error) {
        throw storeError(record, error);
      }
      return json(202, render(services, record));
    },
  };
}

export function getEventSourceMapping(services: Services): Operation {
  const name = 'GetEventSourceMapping';
  return {
    ...{ name, method: 'GET', path: `${path}/:UUID` },
    async handle(request) {
      return json(
        200,
        render(services, await findMapping(services, request, name, label(request, 'UUID'))),
      );
    },
  };
}

/** Changes a mapping that has settled; one that has not is in use. */
async function changeSettled(
  services: Services,
  record: EventSourceMappingRecord,
  verb: string,
  change: (current: EventSourceMappingRecord) => EventSourceMappingRecord,
): Promise<EventSourceMappingRecord> {
  try {
    const changed = await services.eventSources.mappings.change(record.uuid, (current) => {
      if (current.state !== 'Enabled' && current.state !== 'Disabled') {
        throw new ApiError(
          'ResourceInUseException',
          `Cannot ${verb} the event source mapping because it is in use.`,
        );
      }
      const lastModifiedMs = services.clock.nowMs();
      return { ...change(current), revision: current.revision + 1, lastModifiedMs };
    });
    return changed ?? record;
  } catch (error) {
    throw storeError(record, error);
  }
}

function transition(wasEnabled: boolean, enabled: boolean): MappingState {
  if (wasEnabled === enabled) return 'Updating';
  return enabled ? 'Enabling' : 'Disabling';
}

export function updateEventSourceMapping(services: Services): Operation {
  const name = 'UpdateEventSourceMapping';
  return {
    ...{ name, method: 'PUT', path: `${path}/:UUID` },
    async handle(request) {
      const found = await findMapping(services, request, name, label(request, 'UUID'));
      const input = readUpdateMapping(request);
      const given = input.FunctionName;
      const reference = given && readFunction(services, request, name, given);
      if (reference) {
        await requireFunction(services, reference);
        await requireQueue(services, reference, found.eventSourceArn);
      }
      const changed = await changeSettled(services, found, 'update', (current) => {
        const { filters, maximumConcurrency, metrics, provisionedPollers, ...kept } = current;
        const settings = mergeMappingSettings(current, input);
        requireConsistent(settings, current.eventSourceArn);
        const state = transition(current.enabled, settings.enabled);
        return { ...withFunction(kept, reference || undefined), ...settings, state };
      });
      return json(202, render(services, changed));
    },
  };
}

function withFunction(
  record: EventSourceMappingRecord,
  reference: FunctionReference | undefined,
): EventSourceMappingRecord {
  if (!reference) return record;
  const { qualifier: _, ...rest } = record;
  const { name: functionName, qualifier } = reference;
  return { ...rest, functionName, ...(qualifier === undefined ? {} : { qualifier }) };
}

export function deleteEventSourceMapping(services: Services): Operation {
  const name = 'DeleteEventSourceMapping';
  return {
    ...{ name, method: 'DELETE', path: `${path}/:UUID` },
    async handle(request) {
      const found = await findMapping(services, request, name, label(request, 'UUID'));
      const deleting = await changeSettled(services, found, 'delete', (current) => ({
        ...current,
        state: 'Deleting',
      }));
      return json(202, render(services, deleting));
    },
  };
}

interface Position {
  readonly uuid: string;
}

const isPosition = ({ uuid }: { uuid?: unknown }) => typeof uuid === 'string';

export function listEventSourceMappings(services: Services): Operation {
  return {
    name: 'ListEventSourceMappings',
    method: 'GET',
    path,
    async handle(request) {
      authorize(services, request, 'ListEventSourceMappings');
      const { accountId } = request.caller;
      const { region } = services;
      const given = request.query.get('FunctionName');
      const asked = given ? parseFunctionReference(given, undefined, { accountId, region }) : null;
      if (asked && asked.accountId !== accountId) {
        authorizeFunction(services, request, 'ListEventSourceMappings', asked);
      }
      const { after, limit } = readPage<Position>(request, 10_000, isPosition);
      const filter = {
        accountId,
        eventSourceArn: request.query.get('EventSourceArn') || undefined,
        functionName: asked?.name,
        qualifier: asked?.qualifier,
      };
      const { mappings } = services.eventSources;
      const rows = await mappings.list(filter, after?.uuid, limit + 1, services.onDamaged);
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        EventSourceMappings: shown.map((record) => render(services, record)),
        ...(rows.length > limit && last ? { NextMarker: writeMarker({ uuid: last.uuid }) } : {}),
      });
    },
  };
}
