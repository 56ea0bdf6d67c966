import { type FunctionReference, functionArn } from '../../catalogue/mod.ts';
import type { FunctionRecord, UrlRecord } from '../../records/mod.ts';
import { conflict, notFound } from '../api-error.ts';
import { changeFunction } from '../change.ts';
import { type ApiRequest, json, noContent, type Operation, readInput } from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { isoDate } from '../rendering.ts';
import { hasQualifier, referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';
import { boolean, list, number, type ShapeType, string, structure, validate } from '../shapes.ts';
import { refuseForTenancy } from '../tenancy.ts';

const path = '/2021-10-31/functions/:FunctionName/url';
/** URLs are of a function or of an alias, never of a version. */
const aliasShape = string({ max: 128, min: 1, pattern: '((?!^\\d+$)^[0-9a-zA-Z-_]+$)' });
const headers = list(string({ max: 1024, pattern: '.*' }), { max: 100 });
const cors = structure(
  {},
  {
    AllowCredentials: boolean(),
    AllowHeaders: headers,
    AllowMethods: list(string({ max: 6, pattern: '.*' }), { max: 6 }),
    AllowOrigins: list(string({ max: 253, min: 1, pattern: '.*' }), { max: 100 }),
    ExposeHeaders: headers,
    MaxAge: number({ max: 86_400, min: 0 }),
  },
);
const authType = string({ values: ['NONE', 'AWS_IAM'] });
const invokeMode = string({ values: ['RESPONSE_STREAM', 'BUFFERED'] });
const createInput = structure({ AuthType: authType }, { Cors: cors, InvokeMode: invokeMode });
const updateInput = structure({}, { AuthType: authType, Cors: cors, InvokeMode: invokeMode });

function corsOf(input: ShapeType<typeof cors>): NonNullable<UrlRecord['cors']> {
  const { AllowCredentials, AllowHeaders, AllowMethods, AllowOrigins } = input;
  return {
    ...(AllowCredentials === undefined ? {} : { allowCredentials: AllowCredentials }),
    ...(AllowHeaders === undefined ? {} : { allowHeaders: AllowHeaders }),
    ...(AllowMethods === undefined ? {} : { allowMethods: AllowMethods }),
    ...(AllowOrigins === undefined ? {} : { allowOrigins: AllowOrigins }),
    ...(input.ExposeHeaders === undefined ? {} : { exposeHeaders: input.ExposeHeaders }),
    ...(input.MaxAge === undefined ? {} : { maxAgeSeconds: input.MaxAge }),
  };
}

function renderCors(record: NonNullable<UrlRecord['cors']>): object {
  return {
    AllowCredentials: record.allowCredentials,
    AllowHeaders: record.allowHeaders,
    AllowMethods: record.allowMethods,
    AllowOrigins: record.allowOrigins,
    ExposeHeaders: record.exposeHeaders,
    MaxAge: record.maxAgeSeconds,
  };
}

function render(
  services: Services,
  reference: FunctionReference,
  key: string,
  url: UrlRecord,
): object {
  const qualifier = key === '$LATEST' ? undefined : key;
  return {
    FunctionUrl: services.functionUrl(url.urlId),
    FunctionArn: functionArn(services.region, reference, qualifier),
    AuthType: url.authType,
    ...(url.cors ? { Cors: renderCors(url.cors) } : {}),
    CreationTime: isoDate(url.createdMs),
    LastModifiedTime: isoDate(url.lastModifiedMs),
    ...(url.invokeMode ? { InvokeMode: url.invokeMode } : {}),
  };
}

/** The function and the key of its URL: an alias, or `$LATEST` for none. */
function urlTarget(services: Services, request: ApiRequest, operation: string) {
  const reference = referenceOf(services, request, operation);
  if (reference.qualifier !== undefined) validate(aliasShape, reference.qualifier, 'qualifier');
  return { reference, key: reference.qualifier ?? '$LATEST' };
}

function urlOf(record: FunctionRecord | undefined, key: string): UrlRecord | undefined {
  return record && Object.hasOwn(record.urls, key) ? record.urls[key] : undefined;
}

const noFunction = () => notFound('Function does not exist');
const noUrl = () => notFound('The resource you requested does not exist.');

export function createFunctionUrlConfig(services: Services): Operation {
  return {
    name: 'CreateFunctionUrlConfig',
    method: 'POST',
    path,
    async handle(request) {
      const { reference, key } = urlTarget(services, request, 'CreateFunctionUrlConfig');
      const input = readInput(request, createInput);
      if (!(await services.cache.read(reference))) throw noFunction();
      const nowMs = services.clock.nowMs();
      const url: UrlRecord = {
        urlId: services.random.uuid().replaceAll('-', ''),
        authType: input.AuthType,
        ...(input.InvokeMode ? { invokeMode: input.InvokeMode } : {}),
        ...(input.Cors ? { cors: corsOf(input.Cors) } : {}),
        createdMs: nowMs,
        lastModifiedMs: nowMs,
      };
      await changeFunction(services, reference, (record) => {
        if (!hasQualifier(record, reference)) throw noFunction();
        refuseForTenancy(record, 'A function URL');
        if (urlOf(record, key)) {
          const arn = functionArn(services.region, reference, reference.qualifier);
          throw conflict(
            `Failed to create function url config for [functionArn = ${arn}]. Error message: ` +
              'FunctionUrlConfig exists for this Lambda function',
          );
        }
        return { function: { ...record, urls: { ...record.urls, [key]: url } } };
      });
      return json(201, render(services, reference, key, url));
    },
  };
}

export function getFunctionUrlConfig(services: Services): Operation {
  return {
    name: 'GetFunctionUrlConfig',
    method: 'GET',
    path,
    async handle(request) {
      const { reference, key } = urlTarget(services, request, 'GetFunctionUrlConfig');
      const url = urlOf(await services.cache.read(reference), key);
      if (!url) throw noUrl();
      return json(200, render(services, reference, key, url));
    },
  };
}

export function updateFunctionUrlConfig(services: Services): Operation {
  return {
    name: 'UpdateFunctionUrlConfig',
    method: 'PUT',
    path,
    async handle(request) {
      const { reference, key } = urlTarget(services, request, 'UpdateFunctionUrlConfig');
      const input = readInput(request, updateInput);
      if (!(await services.cache.read(reference))) throw noFunction();
      const record = await changeFunction(services, reference, (current) => {
        if (!hasQualifier(current, reference)) throw noFunction();
        const url = urlOf(current, key);
        if (!url) throw noUrl();
        const updated: UrlRecord = {
          ...url,
          authType: input.AuthType ?? url.authType,
          ...(input.InvokeMode ? { invokeMode: input.InvokeMode } : {}),
          ...(input.Cors ? { cors: corsOf(input.Cors) } : {}),
          lastModifiedMs: services.clock.nowMs(),
        };
        return { function: { ...current, urls: { ...current.urls, [key]: updated } } };
      });
      return json(200, render(services, reference, key, urlOf(record, key)!));
    },
  };
}

export function deleteFunctionUrlConfig(services: Services): Operation {
  return {
    name: 'DeleteFunctionUrlConfig',
    method: 'DELETE',
    path,
    async handle(request) {
      const { reference, key } = urlTarget(services, request, 'DeleteFunctionUrlConfig');
      if (!(await services.cache.read(reference))) throw noUrl();
      await changeFunction(services, reference, (record) => {
        if (!urlOf(record, key)) throw noUrl();
        const { [key]: _, ...urls } = record.urls;
        return { function: { ...record, urls } };
      });
      return noContent;
    },
  };
}

interface Position {
  readonly key: string;
}

const isPosition = ({ key }: { key?: unknown }) => typeof key === 'string';

export function listFunctionUrlConfigs(services: Services): Operation {
  return {
    name: 'ListFunctionUrlConfigs',
    method: 'GET',
    path: `${path}s`,
    async handle(request) {
      const reference = referenceOf(services, request, 'ListFunctionUrlConfigs');
      const record = await services.cache.read(reference);
      if (!record) throw noFunction();
      const { after, limit } = readPage<Position>(request, 50, isPosition);
      const rows = Object.entries(record.urls)
        .filter(([key]) => after === undefined || key > after.key)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        FunctionUrlConfigs: shown.map(([key, url]) => render(services, reference, key, url)),
        ...(rows.length > limit && last ? { NextMarker: writeMarker({ key: last[0] }) } : {}),
      });
    },
  };
}
