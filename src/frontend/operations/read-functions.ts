import { findTarget, versionName } from '../../catalogue/mod.ts';
import { type FunctionRecord, LATEST, type VersionRecord } from '../../records/mod.ts';
import { authorize } from '../authorization.ts';
import { json, type Operation } from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { renderCode, renderConfiguration, renderWarnings } from '../rendering.ts';
import { referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';
import { string, validate } from '../shapes.ts';

/** `GetFunction`: configuration, code, tags and reserved concurrency. */
export function getFunction(services: Services): Operation {
  return {
    name: 'GetFunction',
    method: 'GET',
    path: '/2015-03-31/functions/:FunctionName',
    async handle(request) {
      const reference = referenceOf(services, request, 'GetFunction');
      const { record, version } = await findTarget(services, reference);
      const { reservedConcurrency, tags } = record;
      return json(200, {
        Configuration: {
          ...renderConfiguration(services.region, record, version, reference.qualifier),
          ...renderWarnings(services, record, version),
        },
        Code: renderCode(services, request, record, version),
        ...(Object.keys(tags).length > 0 ? { Tags: tags } : {}),
        ...(reservedConcurrency === undefined
          ? {}
          : { Concurrency: { ReservedConcurrentExecutions: reservedConcurrency } }),
      });
    },
  };
}

export function getFunctionConfiguration(services: Services): Operation {
  return {
    name: 'GetFunctionConfiguration',
    method: 'GET',
    path: '/2015-03-31/functions/:FunctionName/configuration',
    async handle(request) {
      const reference = referenceOf(services, request, 'GetFunctionConfiguration');
      const { record, version } = await findTarget(services, reference);
      const { region } = services;
      return json(200, {
        ...renderConfiguration(region, record, version, reference.qualifier),
        ...renderWarnings(services, record, version),
      });
    },
  };
}

interface Position {
  readonly name: string;
  /** The last version listed; absent when all of the function was. */
  readonly version?: number;
}

const isPosition = (value: { name?: unknown; version?: unknown }) =>
  typeof value.name === 'string' && ['number', 'undefined'].includes(typeof value.version);

/** `ListFunctions`: by name; with `FunctionVersion=ALL` each function's versions after it. */
export function listFunctions(services: Services): Operation {
  return {
    name: 'ListFunctions',
    method: 'GET',
    path: '/2015-03-31/functions',
    async handle(request) {
      authorize(services, request, 'ListFunctions');
      const mode = request.query.get('FunctionVersion');
      if (mode !== null) validate(string({ values: ['ALL'] }), mode, 'functionVersion');
      const page = readPage<Position>(request, 10_000, isPosition);
      const { accountId } = request.caller;
      const rows =
        mode === null
          ? await listLatest(services, accountId, page.after, page.limit + 1)
          : await listAll(services, accountId, page.after, page.limit + 1);
      const shown = rows.slice(0, page.limit);
      const last = shown.at(-1);
      return json(200, {
        Functions: shown.map(({ record, version }) => {
          const qualifier = mode === null ? undefined : versionName(version.version);
          return renderConfiguration(services.region, record, version, qualifier);
        }),
        ...(rows.length > page.limit && last
          ? { NextMarker: writeMarker<Position>(positionOf(last, mode !== null)) }
          : {}),
      });
    },
  };
}

interface Row {
  readonly record: FunctionRecord;
  readonly version: VersionRecord;
}

function positionOf({ record, version }: Row, withVersion: boolean): Position {
  return withVersion ? { name: record.name, version: version.version } : { name: record.name };
}

async function listLatest(
  { store, onDamaged }: Services,
  accountId: string,
  after: Position | undefined,
  limit: number,
): Promise<Row[]> {
  const records = await store.list(accountId, after?.name, limit, onDamaged);
  return records.map((record) => ({ record, version: record.latest }));
}

async function listAll(
  { store, onDamaged }: Services,
  accountId: string,
  after: Position | undefined,
  limit: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  const addVersions = async (record: FunctionRecord, from: number) => {
    const versions = await store.listVersions(record, from, limit - rows.length, onDamaged);
    rows.push(...versions.map((version) => ({ record, version })));
  };
  if (after?.version !== undefined) {
    const record = await store.read({ accountId, name: after.name });
    if (record) await addVersions(record, after.version);
  }
  let name = after?.name;
  while (rows.length < limit) {
    const records = await store.list(accountId, name, limit - rows.length, onDamaged);
    if (records.length === 0) break;
    for (const record of records) {
      if (rows.length >= limit) break;
      rows.push({ record, version: record.latest });
      if (rows.length < limit) await addVersions(record, LATEST);
      name = record.name;
    }
  }
  return rows;
}
