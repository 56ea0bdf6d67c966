import { type FunctionReference, functionArn } from '../../catalogue/mod.ts';
import type { EventInvokeRecord, FunctionRecord } from '../../records/mod.ts';
import { invalidParameter, notFound } from '../api-error.ts';
import { principalOf } from '../authorization.ts';
import { changeFunction } from '../change.ts';
import { requireDestinations } from '../destination-checks.ts';
import { destinationPattern } from '../destinations.ts';
import {
  type ApiRequest,
  type ApiResponse,
  json,
  noContent,
  type Operation,
  readInput,
} from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { hasQualifier, referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';
import { number, type ShapeType, string, structure } from '../shapes.ts';

const path = '/2019-09-25/functions/:FunctionName/event-invoke-config';
const destination = string({ max: 350, min: 0, pattern: `$|${destinationPattern}` });
const configInput = structure(
  {},
  {
    MaximumRetryAttempts: number({ max: 2, min: 0 }),
    MaximumEventAgeInSeconds: number({ max: 21_600, min: 60 }),
    DestinationConfig: structure(
      {},
      {
        OnSuccess: structure({}, { Destination: destination }),
        OnFailure: structure({}, { Destination: destination }),
      },
    ),
  },
);
type ConfigInput = ShapeType<typeof configInput>;

const keyOf = (reference: FunctionReference) => reference.qualifier ?? '$LATEST';

function render(
  services: Services,
  reference: FunctionReference,
  qualifier: string,
  config: EventInvokeRecord,
): object {
  const { maximumRetryAttempts, maximumEventAgeSeconds, onSuccess, onFailure } = config;
  return {
    LastModified: config.lastModifiedMs / 1000,
    FunctionArn: functionArn(services.region, reference, qualifier),
    ...(maximumRetryAttempts === undefined ? {} : { MaximumRetryAttempts: maximumRetryAttempts }),
    ...(maximumEventAgeSeconds === undefined
      ? {}
      : { MaximumEventAgeInSeconds: maximumEventAgeSeconds }),
    DestinationConfig: {
      OnSuccess: onSuccess ? { Destination: onSuccess } : {},
      OnFailure: onFailure ? { Destination: onFailure } : {},
    },
  };
}

function missing(services: Services, reference: FunctionReference) {
  const arn = functionArn(services.region, reference, keyOf(reference));
  return notFound(`The function ${arn} doesn't have an EventInvokeConfig`);
}

const noFunction = () => notFound("The function doesn't exist.");

/** The members that the input names; an empty destination takes one away. */
function readConfig(input: ConfigInput, configuredBy: string, nowMs: number): EventInvokeRecord {
  const onSuccess = input.DestinationConfig?.OnSuccess?.Destination;
  const onFailure = input.DestinationConfig?.OnFailure?.Destination;
  const { MaximumRetryAttempts, MaximumEventAgeInSeconds } = input;
  const { OnSuccess, OnFailure } = input.DestinationConfig ?? {};
  const given = [OnSuccess, OnFailure, MaximumRetryAttempts, MaximumEventAgeInSeconds];
  if (given.every((each) => each === undefined)) {
    throw invalidParameter(
      'You must specify at least one of error handling or destination setting.',
    );
  }
  return {
    ...(MaximumRetryAttempts === undefined ? {} : { maximumRetryAttempts: MaximumRetryAttempts }),
    ...(MaximumEventAgeInSeconds === undefined
      ? {}
      : { maximumEventAgeSeconds: MaximumEventAgeInSeconds }),
    ...(onSuccess === undefined ? {} : { onSuccess }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(OnSuccess || OnFailure ? { configuredBy } : {}),
    lastModifiedMs: nowMs,
  };
}

async function write(
  services: Services,
  request: ApiRequest,
  operation: string,
  combine: (current: EventInvokeRecord | undefined, given: EventInvokeRecord) => EventInvokeRecord,
): Promise<ApiResponse> {
  const reference = referenceOf(services, request, operation);
  const input = readInput(request, configInput);
  const given = readConfig(input, principalOf(request.caller), services.clock.nowMs());
  const key = keyOf(reference);
  const combined = (current: FunctionRecord | undefined) => {
    if (!current || !hasQualifier(current, reference)) throw noFunction();
    return combine(configOf(current, key), given);
  };
  const wanted = combined(await services.cache.read(reference));
  // Who names one destination answers for both: the other may be of somebody who may more.
  if (given.configuredBy) await requireDestinations(services, request, reference, wanted);
  const record = await changeFunction(services, reference, (current) => {
    const eventInvokeConfigs = { ...current.eventInvokeConfigs, [key]: combined(current) };
    return { function: { ...current, eventInvokeConfigs } };
  });
  return json(200, render(services, reference, key, configOf(record, key)!));
}

function configOf(record: FunctionRecord, key: string): EventInvokeRecord | undefined {
  return Object.hasOwn(record.eventInvokeConfigs, key) ? record.eventInvokeConfigs[key] : undefined;
}

/** `PutFunctionEventInvokeConfig`: replaces all of it. */
export function putFunctionEventInvokeConfig(services: Services): Operation {
  const name = 'PutFunctionEventInvokeConfig';
  return {
    ...{ name, method: 'PUT', path },
    handle: (request) => write(services, request, name, (_, given) => given),
  };
}

/** `UpdateFunctionEventInvokeConfig`: replaces the members given. */
export function updateFunctionEventInvokeConfig(services: Services): Operation {
  const name = 'UpdateFunctionEventInvokeConfig';
  return {
    ...{ name, method: 'POST', path },
    async handle(request) {
      const reference = referenceOf(services, request, name);
      return write(services, request, name, (current, given) => {
        if (!current) throw missing(services, reference);
        return { ...current, ...given };
      });
    },
  };
}

export function getFunctionEventInvokeConfig(services: Services): Operation {
  return {
    name: 'GetFunctionEventInvokeConfig',
    method: 'GET',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'GetFunctionEventInvokeConfig');
      const record = await services.cache.read(reference);
      const config = record && configOf(record, keyOf(reference));
      if (!config) throw missing(services, reference);
      return json(200, render(services, reference, keyOf(reference), config));
    },
  };
}

export function deleteFunctionEventInvokeConfig(services: Services): Operation {
  return {
    name: 'DeleteFunctionEventInvokeConfig',
    method: 'DELETE',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'DeleteFunctionEventInvokeConfig');
      if (!(await services.cache.read(reference))) throw missing(services, reference);
      const key = keyOf(reference);
      await changeFunction(services, reference, (record) => {
        if (!configOf(record, key)) throw missing(services, reference);
        const { [key]: _, ...eventInvokeConfigs } = record.eventInvokeConfigs;
        return { function: { ...record, eventInvokeConfigs } };
      });
      return noContent;
    },
  };
}

interface Position {
  readonly qualifier: string;
}

const isPosition = ({ qualifier }: { qualifier?: unknown }) => typeof qualifier === 'string';

export function listFunctionEventInvokeConfigs(services: Services): Operation {
  return {
    name: 'ListFunctionEventInvokeConfigs',
    method: 'GET',
    path: `${path}/list`,
    async handle(request) {
      const reference = referenceOf(services, request, 'ListFunctionEventInvokeConfigs');
      const record = await services.cache.read(reference);
      if (!record) throw noFunction();
      const { after, limit } = readPage<Position>(request, 50, isPosition);
      const rows = Object.entries(record.eventInvokeConfigs)
        .filter(([qualifier]) => after === undefined || qualifier > after.qualifier)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        FunctionEventInvokeConfigs: shown.map(([qualifier, config]) =>
          render(services, reference, qualifier, config),
        ),
        ...(rows.length > limit && last ? { NextMarker: writeMarker({ qualifier: last[0] }) } : {}),
      });
    },
  };
}
