import { limits } from '../../base/mod.ts';
import { type FunctionReference, findFunction, functionNotFound } from '../../catalogue/mod.ts';
import {
  beginUpdate,
  type FunctionChange,
  type FunctionRecord,
  publishWithWork,
} from '../../records/mod.ts';
import { changeError } from '../change.ts';
import { resolveSource } from '../code-source.ts';
import { applyConfiguration } from '../configuration.ts';
import { requireDeadLetter, withConfigurer } from '../destination-checks.ts';
import { updateFunctionCodeInput, updateFunctionConfigurationInput } from '../function-inputs.ts';
import { resolveLayers } from '../layer-name.ts';
import {
  type ApiRequest,
  type ApiResponse,
  json,
  type Operation,
  readInput,
} from '../operation.ts';
import { renderConfiguration } from '../rendering.ts';
import { referenceOf } from '../request-target.ts';
import { requireRuntime } from '../runtimes.ts';
import { type Services, stampOf } from '../services.ts';
import { judgeUnsupported } from '../unsupported-members.ts';
import { requireTogetherSmall } from '../zip-archive.ts';
import { requireStorage } from './create-function.ts';

/** `UpdateFunctionCode`: the previous code serves until the new one is installed. */
export function updateFunctionCode(services: Services): Operation {
  return {
    name: 'UpdateFunctionCode',
    method: 'PUT',
    path: '/2015-03-31/functions/:FunctionName/code',
    maxBodyBytes: () => limits.lambda.requestBodyBytes,
    handle: (request) => services.archives.use(() => updateCode(services, request)),
  };
}

async function updateCode(services: Services, request: ApiRequest): Promise<ApiResponse> {
  const reference = referenceOf(services, request, 'UpdateFunctionCode');
  const input = readInput(request, updateFunctionCodeInput);
  const { packageType } = (await findFunction(services, reference)).latest.configuration;
  const { accountId } = reference;
  await requireStorage(services, accountId);
  const source = await resolveSource(services, accountId, packageType, input, 'updating');
  const stamp = stampOf(services);
  const change = (record: FunctionRecord): FunctionChange => {
    const current = record.latest.configuration;
    if (source.kind === 'zip') requireTogetherSmall(source.unzippedBytes, current.layers);
    const architecture = input.Architectures?.[0] ?? current.architecture;
    const configuration = { ...current, architecture };
    if (input.Architectures && current.runtime !== undefined) {
      requireRuntime(current.runtime, architecture, services.zip);
    }
    const revision = input.RevisionId === undefined ? {} : { revisionId: input.RevisionId };
    const updated = beginUpdate(record, { configuration, source, ...revision }, stamp);
    return input.Publish ? publishWithWork(updated, undefined, stamp) : { function: updated };
  };
  return update(services, reference, change, input.DryRun === true);
}

/** `UpdateFunctionConfiguration`: as an update of the code, without an install. */
export function updateFunctionConfiguration(services: Services): Operation {
  return {
    name: 'UpdateFunctionConfiguration',
    method: 'PUT',
    path: '/2015-03-31/functions/:FunctionName/configuration',
    handle: (request) => services.archives.use(() => updateConfiguration(services, request)),
  };
}

async function updateConfiguration(services: Services, request: ApiRequest): Promise<ApiResponse> {
  const reference = referenceOf(services, request, 'UpdateFunctionConfiguration');
  const input = readInput(request, updateFunctionConfigurationInput);
  judgeUnsupported(services, reference, input);
  await requireDeadLetter(services, request, input.DeadLetterConfig?.TargetArn);
  const layers = input.Layers && (await resolveLayers(services, request.caller, input.Layers));
  const stamp = stampOf(services);
  const change = (record: FunctionRecord): FunctionChange => {
    const { latest } = record;
    if (input.Runtime !== undefined) {
      requireRuntime(input.Runtime, latest.configuration.architecture, services.zip);
    }
    const applied = applyConfiguration(latest.configuration, input, layers);
    const configuration = withConfigurer(applied, input, request);
    if (layers && latest.source.kind === 'zip') {
      requireTogetherSmall(latest.source.unzippedBytes, layers);
    }
    const revision = input.RevisionId === undefined ? {} : { revisionId: input.RevisionId };
    // What is on the disk depends on these two, so it is installed again.
    const source = layers || input.Runtime ? { source: latest.source } : {};
    return { function: beginUpdate(record, { configuration, ...source, ...revision }, stamp) };
  };
  return update(services, reference, change, false);
}

async function update(
  services: Services,
  reference: FunctionReference,
  change: (record: FunctionRecord) => FunctionChange,
  dryRun: boolean,
): Promise<ApiResponse> {
  const { store, region, installs } = services;
  try {
    if (dryRun) {
      services.archives.freed(reference.accountId);
      const current = await store.read(reference);
      if (!current) throw functionNotFound(services.region, reference);
      const { function: record } = change(current);
      return json(200, renderConfiguration(region, record, record.latest));
    }
    let written: FunctionChange | undefined;
    const record = await store.change(reference, (current) => {
      written = change(current);
      return written;
    });
    installs.start(record);
    const published = written?.putVersions?.[0];
    if (!published) return json(200, renderConfiguration(region, record, record.latest));
    const qualifier = String(published.version);
    return json(200, renderConfiguration(region, record, published, qualifier));
  } catch (error) {
    throw changeError(services, reference, error);
  }
}
