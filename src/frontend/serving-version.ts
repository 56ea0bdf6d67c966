import type { FunctionVersion, VersionRecord } from '../functions/mod.ts';
import { conflict } from './api-error.ts';
import { functionArn } from './function-name.ts';
import type { Target } from './lookup.ts';
import { versionName } from './rendering.ts';

const known = new WeakMap<VersionRecord, FunctionVersion>();

/** What a sandbox is made of for this target; throws while the function has nothing to run. */
export function servingVersion(region: string, { record, version }: Target): FunctionVersion {
  const cached = known.get(version);
  if (cached) return cached;
  const { serving } = version;
  if (!serving) {
    throw conflict(
      'The operation cannot be performed at this time. The function is currently in the ' +
        `following state: ${version.state}`,
    );
  }
  const name = versionName(version.version);
  const built: FunctionVersion = {
    accountId: record.accountId,
    functionName: record.name,
    version: name,
    arn: functionArn(region, record, name),
    servingId: serving.servingId,
    configuration: serving.configuration,
    code: serving.code,
  };
  known.set(version, built);
  return built;
}
