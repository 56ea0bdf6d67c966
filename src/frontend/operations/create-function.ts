import { isSluiceError, limits, SluiceError } from '../../base/mod.ts';
import { newFunction, publishWithWork } from '../../records/mod.ts';
import { ApiError, conflict } from '../api-error.ts';
import { authorizeFunction } from '../authorization.ts';
import { resolveSource } from '../code-source.ts';
import { newConfiguration } from '../configuration.ts';
import { requireDeadLetter, withConfigurer } from '../destination-checks.ts';
import { createFunctionInput } from '../function-inputs.ts';
import { parseFunctionReference } from '../function-name.ts';
import { resolveLayers } from '../layer-name.ts';
import {
  type ApiRequest,
  type ApiResponse,
  json,
  type Operation,
  readInput,
} from '../operation.ts';
import { renderConfiguration } from '../rendering.ts';
import { requireRuntime } from '../runtimes.ts';
import { type Services, stampOf } from '../services.ts';
import { judgeUnsupported } from '../unsupported-members.ts';
import { requireTogetherSmall } from '../zip-archive.ts';
import { requireTags } from './tags.ts';

/** `CreateFunction`: recorded as Pending and answered; the code is installed after that. */
export function createFunction(services: Services): Operation {
  return {
    name: 'CreateFunction',
    method: 'POST',
    path: '/2015-03-31/functions',
    maxBodyBytes: () => limits.lambda.requestBodyBytes,
    handle: (request) => services.archives.use(() => create(services, request)),
  };
}

async function create(services: Services, request: ApiRequest): Promise<ApiResponse> {
  const input = readInput(request, createFunctionInput);
  const caller = { accountId: request.caller.accountId, region: services.region };
  const reference = parseFunctionReference(input.FunctionName, undefined, caller);
  authorizeFunction(services, request, 'CreateFunction', reference);
  const { accountId, name } = reference;
  const packageType = input.PackageType ?? 'Zip';
  judgeUnsupported(services, reference, input);
  await requireDeadLetter(services, request, input.DeadLetterConfig?.TargetArn);
  const layers = await resolveLayers(services, request.caller, input.Layers ?? []);
  const wanted = newConfiguration(name, packageType, input, layers);
  const configuration = withConfigurer(wanted, input, request);
  if (configuration.runtime !== undefined) {
    requireRuntime(configuration.runtime, configuration.architecture, services.zip);
  }
  await requireStorage(services, accountId);
  const source = await resolveSource(services, accountId, packageType, input.Code, 'creating');
  if (source.kind === 'zip') requireTogetherSmall(source.unzippedBytes, layers);
  const stamp = stampOf(services);
  const created = newFunction({ accountId, name }, configuration, source, stamp);
  requireTags(input.Tags ?? {});
  const tagged = { ...created, tags: input.Tags ?? {} };
  const change = input.Publish
    ? publishWithWork(tagged, undefined, stamp)
    : { function: tagged, putVersions: [] };
  try {
    await services.store.insert(change.function, change.putVersions);
  } catch (error) {
    services.archives.freed(accountId);
    if (!isSluiceError(error, 'FUNCTION_EXISTS')) throw error;
    throw conflict(`Function already exist: ${name}`);
  }
  services.installs.start(change.function);
  const shown = change.putVersions?.[0] ?? change.function.latest;
  return json(201, renderConfiguration(services.region, change.function, shown));
}

/** The account's code storage, layers included, is a quota, checked before more is taken in. */
export async function requireStorage(services: Services, accountId: string): Promise<void> {
  if (services.isDiskLow()) {
    throw new SluiceError('OVERLOADED', `${accountId}: the disk has no room for code`);
  }
  const { codeSizeBytes } = await services.store.totals(accountId);
  const layerBytes = (await services.zip?.layers.totalBytes(accountId)) ?? 0;
  if (codeSizeBytes + layerBytes < limits.lambda.codeStorageBytes) return;
  throw new ApiError('CodeStorageExceededException', 'Code storage limit exceeded.');
}
