import { SluiceError } from '../base/mod.ts';
import type { FunctionVersion, VersionRecord } from '../records/mod.ts';
import { functionArn, versionName } from './function-reference.ts';
import type { Target } from './targets.ts';

const known = new WeakMap<VersionRecord, FunctionVersion>();

/** What a sandbox is made of for this target. Throws `FUNCTION_NOT_READY` while there is nothing to run. */
export function servingVersion(region: string, { record, version }: Target): FunctionVersion {
  const cached = known.get(version);
  if (cached) return cached;
  const { serving } = version;
  if (!serving) {
    const { state } = version;
    throw new SluiceError('FUNCTION_NOT_READY', `${record.name}: state ${state}, nothing to run`, {
      data: { state },
    });
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
