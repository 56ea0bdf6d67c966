import type { Credential } from '../accounts/mod.ts';
import { limits } from '../base/mod.ts';
import type { LayerKey, LayerReference } from '../records/mod.ts';
import { ApiError, invalidParameter, notFound } from './api-error.ts';
import { authorize, principalOf } from './authorization.ts';
import { zipSupport } from './code-source.ts';
import type { ApiRequest } from './operation.ts';
import { resourceAllows } from './policies/resource-policy.ts';
import type { Services } from './services.ts';
import { string, validate } from './shapes.ts';

const nameShape = string({
  max: 140,
  min: 1,
  pattern: '(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+',
});
const versionArn =
  /^arn:[a-zA-Z0-9-]+:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+):(\d{1,15})$/;

export function layerArn(region: string, { accountId, name }: LayerKey): string {
  return `arn:aws:lambda:${region}:${accountId}:layer:${name}`;
}

/**
 * The layer that a path label names, which the caller may do `operation` with. Of the caller's own
 * account, unless the operation asks the version's policy afterwards (`isOpenToOthers`).
 */
export function readLayerKey(
  services: Services,
  request: ApiRequest,
  operation: string,
  given: string,
  isOpenToOthers = false,
): LayerKey {
  validate(nameShape, given, 'layerName');
  const [, , , region = services.region, accountId = request.caller.accountId, , name = given] =
    given.split(':');
  if (region !== services.region) {
    throw notFound(
      `Layers from '${region}' are not reachable in this region ('${services.region}')`,
    );
  }
  const key = { accountId, name };
  const arn = layerArn(services.region, key);
  if (accountId !== request.caller.accountId && !isOpenToOthers) {
    throw new ApiError(
      'AccessDeniedException',
      `User is not authorized to perform: lambda:${operation} on resource: ${arn} because no ` +
        `resource-based policy allows the lambda:${operation} action`,
    );
  }
  authorize(services, request, operation, arn);
  return key;
}

/** A layer version's ARN taken apart; undefined when it is none. */
export function parseLayerVersionArn(arn: string) {
  const [, region, accountId, name, version] = versionArn.exec(arn) ?? [];
  if (!region || !accountId || !name) return undefined;
  return { region, key: { accountId, name }, version: Number(version) };
}

/** Whether another account has opened a layer version to the caller. */
export async function isShared(
  services: Services,
  caller: Credential,
  key: LayerKey,
  version: number,
): Promise<boolean> {
  const policy = await services.zip?.layers.readPolicy(key, version);
  const call = {
    ...{ action: 'lambda:GetLayerVersion', accountId: caller.accountId, context: {} },
    principalArn: principalOf(caller),
  };
  return resourceAllows(policy, call);
}

/** What a function's `Layers` name. Throws unless all of them exist, at most five, each once. */
export async function resolveLayers(
  services: Services,
  caller: Credential,
  arns: readonly string[],
): Promise<LayerReference[]> {
  if (arns.length === 0) return [];
  const { accountId } = caller;
  if (arns.length > limits.lambda.layersPerFunction) {
    throw invalidParameter(`Cannot reference more than ${limits.lambda.layersPerFunction} layers.`);
  }
  const { layers, archive } = zipSupport(services);
  const seen = new Map<string, string>();
  const references: LayerReference[] = [];
  for (const arn of arns) {
    const parsed = parseLayerVersionArn(arn);
    if (parsed && parsed.region !== services.region) {
      throw invalidParameter(
        'Layers are not in the same region as the function. Layers are expected to be in region ' +
          `${services.region}.`,
      );
    }
    const visible =
      parsed?.key.accountId === accountId ||
      (parsed && (await isShared(services, caller, parsed.key, parsed.version)));
    const found = parsed && visible ? await layers.read(parsed.key, parsed.version) : undefined;
    if (!parsed || !found) throw invalidParameter(`Layer version ${arn} does not exist.`);
    const before = seen.get(parsed.key.name);
    if (before !== undefined) {
      throw invalidParameter(
        'Two different versions of the same layer are not allowed to be referenced in the same ' +
          `function. ${before} and ${arn} are versions of the same layer.`,
      );
    }
    seen.set(parsed.key.name, arn);
    const { sizeBytes: codeSizeBytes, unzippedBytes, sha256 } = found;
    if (parsed.key.accountId !== accountId) {
      // What another account may delete at any time is kept with the function's own.
      await archive.put(accountId, await archive.get(parsed.key.accountId, found.sha256));
    }
    references.push({ arn, codeSizeBytes, unzippedBytes, sha256 });
  }
  return references;
}
