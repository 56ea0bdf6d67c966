import { findFunction, versionName } from '../../catalogue/mod.ts';
import {
  type FunctionRecord,
  LATEST,
  publish,
  requireRevision,
  type VersionRecord,
} from '../../records/mod.ts';
import { invalidParameter } from '../api-error.ts';
import { changeFunction } from '../change.ts';
import { json, type Operation, readInput } from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { renderConfiguration } from '../rendering.ts';
import { referenceOf } from '../request-target.ts';
import { type Services, stampOf } from '../services.ts';
import { string, structure } from '../shapes.ts';

const publishInput = structure(
  {},
  { CodeSha256: string(), Description: string({ max: 256, min: 0 }), RevisionId: string() },
  { PublishTo: 'versions are published by number only.' },
);

/** `PublishVersion`: the version that is the same as `$LATEST`, made now if there is none. */
export function publishVersion(services: Services): Operation {
  return {
    name: 'PublishVersion',
    method: 'POST',
    path: '/2015-03-31/functions/:FunctionName/versions',
    async handle(request) {
      const reference = referenceOf(services, request, 'PublishVersion');
      const input = readInput(request, publishInput);
      let number = LATEST;
      const record = await changeFunction(services, reference, (current) => {
        requireRevision(current.latest, input.RevisionId);
        requireSha256(current, input.CodeSha256);
        requireCode(current);
        const change = publish(current, input.Description, stampOf(services));
        const { published } = change;
        number = typeof published === 'number' ? published : published.version;
        return change;
      });
      const version = await services.cache.readVersion(reference, number);
      const shown = version ?? record.latest;
      return json(201, renderConfiguration(services.region, record, shown, String(number)));
    },
  };
}

function requireSha256({ latest }: FunctionRecord, given: string | undefined): void {
  const current = latest.code?.codeSha256;
  if (given === undefined || given === '' || given === current) return;
  throw invalidParameter(
    `CodeSHA256 (${given}) is different from current CodeSHA256 in $LATEST (${current}). Please ` +
      'try again with the CodeSHA256 in $LATEST.',
  );
}

function requireCode({ latest }: FunctionRecord): void {
  if (latest.state === 'Failed') {
    throw invalidParameter('A function in the state Failed cannot be published. Update its code.');
  }
}

interface Position {
  readonly version: number;
}

const isPosition = ({ version }: { version?: unknown }) => Number.isSafeInteger(version);

/** `ListVersionsByFunction`: `$LATEST`, then the published ones by number. */
export function listVersionsByFunction(services: Services): Operation {
  return {
    name: 'ListVersionsByFunction',
    method: 'GET',
    path: '/2015-03-31/functions/:FunctionName/versions',
    async handle(request) {
      const reference = referenceOf(services, request, 'ListVersionsByFunction');
      const record = await findFunction(services, reference);
      const { after, limit } = readPage<Position>(request, 10_000, isPosition);
      const rows: VersionRecord[] = after ? [] : [record.latest];
      const from = after?.version ?? LATEST;
      rows.push(
        ...(await services.store.listVersions(reference, from, limit + 1, services.onDamaged)),
      );
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        Versions: shown.map((each) =>
          renderConfiguration(services.region, record, each, versionName(each.version)),
        ),
        ...(rows.length > limit && last
          ? { NextMarker: writeMarker<Position>({ version: last.version }) }
          : {}),
      });
    },
  };
}

/** `GetFunctionCodeSigningConfig`: no function has one; deploy tools ask on every refresh. */
export function getFunctionCodeSigningConfig(services: Services): Operation {
  return {
    name: 'GetFunctionCodeSigningConfig',
    method: 'GET',
    path: '/2020-06-30/functions/:FunctionName/code-signing-config',
    async handle(request) {
      const reference = referenceOf(services, request, 'GetFunctionCodeSigningConfig');
      const record = await findFunction(services, reference);
      return json(200, { CodeSigningConfigArn: '', FunctionName: record.name });
    },
  };
}
