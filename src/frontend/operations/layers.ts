import { limits } from '../../base/mod.ts';
import type { LayerKey, LayerVersionRecord } from '../../records/mod.ts';
import { invalidParameter, notFound } from '../api-error.ts';
import { authorize } from '../authorization.ts';
import { storeArchive, zipSupport } from '../code-source.ts';
import { isShared, layerArn, parseLayerVersionArn, readLayerKey } from '../layer-name.ts';
import {
  type ApiRequest,
  json,
  label,
  noContent,
  type Operation,
  readInput,
} from '../operation.ts';
import { readPage, writeMarker } from '../paging.ts';
import { isoDate, originOf } from '../rendering.ts';
import { knownRuntimes } from '../runtimes.ts';
import type { Services } from '../services.ts';
import { list, string, structure, validate } from '../shapes.ts';
import { requireStorage } from './create-function.ts';

const collection = '/2018-10-31/layers';
const versions = `${collection}/:LayerName/versions`;
const architecture = string({ values: ['x86_64', 'arm64'] });
const runtime = string({ values: knownRuntimes });
const publishInput = structure(
  {
    Content: structure(
      {},
      { ZipFile: string(), S3Bucket: string(), S3Key: string(), S3ObjectVersion: string() },
    ),
  },
  {
    Description: string({ max: 256, min: 0 }),
    CompatibleRuntimes: list(runtime, { max: 15 }),
    CompatibleArchitectures: list(architecture, { max: 2 }),
    LicenseInfo: string({ max: 512 }),
  },
);

function render(services: Services, layer: LayerVersionRecord): Record<string, unknown> {
  return {
    LayerVersionArn: `${layerArn(services.region, layer)}:${layer.version}`,
    Version: layer.version,
    Description: layer.description,
    CreatedDate: isoDate(layer.createdMs),
    CompatibleRuntimes: layer.compatibleRuntimes,
    CompatibleArchitectures: layer.compatibleArchitectures,
    ...(layer.licenseInfo === undefined ? {} : { LicenseInfo: layer.licenseInfo }),
  };
}

/** With the content and the layer's own ARN, as the operations on one version answer. */
function renderWhole(services: Services, request: ApiRequest, layer: LayerVersionRecord): object {
  const { downloads, clock } = services;
  return {
    ...render(services, layer),
    LayerArn: layerArn(services.region, layer),
    Content: {
      Location: downloads.create(originOf(request), layer, clock.nowMs()),
      CodeSha256: Buffer.from(layer.sha256, 'hex').toString('base64'),
      CodeSize: layer.sizeBytes,
    },
  };
}

export function publishLayerVersion(services: Services): Operation {
  return {
    name: 'PublishLayerVersion',
    method: 'POST',
    path: versions,
    maxBodyBytes: () => limits.lambda.requestBodyBytes,
    async handle(request) {
      const key = readLayerKey(
        services,
        request,
        'PublishLayerVersion',
        label(request, 'LayerName'),
      );
      const input = readInput(request, publishInput);
      const { layers } = zipSupport(services);
      await requireStorage(services, key.accountId);
      const layer = await services.archives.use(async () => {
        const source = await storeArchive(services, key.accountId, input.Content);
        return layers.publish({
          ...key,
          description: input.Description ?? '',
          sha256: source.sha256,
          sizeBytes: source.sizeBytes,
          unzippedBytes: source.unzippedBytes,
          compatibleRuntimes: input.CompatibleRuntimes ?? [],
          compatibleArchitectures: input.CompatibleArchitectures ?? [],
          ...(input.LicenseInfo === undefined ? {} : { licenseInfo: input.LicenseInfo }),
          createdMs: services.clock.nowMs(),
        });
      });
      return json(201, renderWhole(services, request, layer));
    },
  };
}

export function readVersion(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw notFound('The resource you requested does not exist.');
  const version = Number(text);
  if (version < 1) throw invalidParameter('Layer Version Cannot be less than 1');
  return version;
}

async function findLayer(
  services: Services,
  key: LayerKey,
  version: number,
): Promise<LayerVersionRecord> {
  const layer = await services.zip?.layers.read(key, version);
  if (!layer) throw notFound('The resource you requested does not exist.');
  return layer;
}

export function getLayerVersion(services: Services): Operation {
  return {
    name: 'GetLayerVersion',
    method: 'GET',
    path: `${versions}/:VersionNumber`,
    async handle(request) {
      const version = readVersion(label(request, 'VersionNumber'));
      return getVersion(services, request, label(request, 'LayerName'), version);
    },
  };
}

export function deleteLayerVersion(services: Services): Operation {
  return {
    name: 'DeleteLayerVersion',
    method: 'DELETE',
    path: `${versions}/:VersionNumber`,
    async handle(request) {
      const name = label(request, 'LayerName');
      const key = readLayerKey(services, request, 'DeleteLayerVersion', name);
      await services.zip?.layers.remove(key, readVersion(label(request, 'VersionNumber')));
      services.archives.freed(key.accountId);
      return noContent;
    },
  };
}

interface VersionPosition {
  readonly version: number;
}

const isVersion = ({ version }: { version?: unknown }) => Number.isSafeInteger(version);

export function listLayerVersions(services: Services): Operation {
  return {
    name: 'ListLayerVersions',
    method: 'GET',
    path: versions,
    async handle(request) {
      const key = readLayerKey(services, request, 'ListLayerVersions', label(request, 'LayerName'));
      readCompatibility(request);
      const { after, limit } = readPage<VersionPosition>(request, 50, isVersion);
      const { zip, onDamaged } = services;
      const rows =
        (await zip?.layers.listVersions(key, after?.version, limit + 1, onDamaged)) ?? [];
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        LayerVersions: shown.filter(compatible(request)).map((each) => render(services, each)),
        ...(rows.length > limit && last
          ? { NextMarker: writeMarker({ version: last.version }) }
          : {}),
      });
    },
  };
}

interface NamePosition {
  readonly name: string;
}

const isName = ({ name }: { name?: unknown }) => typeof name === 'string';

/** `ListLayers`; `GetLayerVersionByArn` shares its path. */
export function listLayers(services: Services): Operation {
  return {
    name: 'ListLayers',
    method: 'GET',
    path: collection,
    async handle(request) {
      if (request.query.get('find') === 'LayerVersion') return byArn(services, request);
      authorize(services, request, 'ListLayers');
      readCompatibility(request);
      const { after, limit } = readPage<NamePosition>(request, 50, isName);
      const { accountId } = request.caller;
      const { zip, onDamaged } = services;
      const rows = (await zip?.layers.list(accountId, after?.name, limit + 1, onDamaged)) ?? [];
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return json(200, {
        Layers: shown.filter(compatible(request)).map((each) => ({
          LayerName: each.name,
          LayerArn: layerArn(services.region, each),
          LatestMatchingVersion: render(services, each),
        })),
        ...(rows.length > limit && last ? { NextMarker: writeMarker({ name: last.name }) } : {}),
      });
    },
  };
}

const arnShape = string({
  max: 2048,
  min: 1,
  pattern:
    '(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:' +
    'layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)',
});

async function byArn(services: Services, request: ApiRequest) {
  const arn = validate(arnShape, request.query.get('Arn') ?? '', 'arn');
  const parsed = parseLayerVersionArn(arn);
  if (!parsed) throw notFound('The resource you requested does not exist.');
  const layer = arn.slice(0, arn.lastIndexOf(':'));
  return getVersion(services, request, layer, parsed.version);
}

async function getVersion(services: Services, request: ApiRequest, name: string, version: number) {
  const operation = 'GetLayerVersion';
  const key = readLayerKey(services, request, operation, name, true);
  if (!(await isShared(services, request.caller, key, version))) {
    readLayerKey(services, request, operation, name);
  }
  return json(200, renderWhole(services, request, await findLayer(services, key, version)));
}

function readCompatibility(request: ApiRequest): void {
  const wanted = request.query.get('CompatibleArchitecture');
  if (wanted !== null) validate(architecture, wanted as 'arm64', 'compatibleArchitecture');
  const given = request.query.get('CompatibleRuntime');
  if (given !== null) validate(runtime, given, 'compatibleRuntime');
}

/** A layer that says nothing about what it is for is for everything. */
function compatible(request: ApiRequest) {
  const wantedRuntime = request.query.get('CompatibleRuntime');
  const wanted = request.query.get('CompatibleArchitecture');
  const has = (all: readonly string[], one: string | null) =>
    one === null || all.length === 0 || all.includes(one);
  return (layer: LayerVersionRecord) =>
    has(layer.compatibleRuntimes, wantedRuntime) && has(layer.compatibleArchitectures, wanted);
}
