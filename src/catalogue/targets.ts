import { type Random, SluiceError } from '../base/mod.ts';
import {
  type AliasRecord,
  type FunctionRecord,
  LATEST,
  type VersionRecord,
} from '../records/mod.ts';
import type { Catalogue } from './catalogue.ts';
import { type FunctionReference, functionArn } from './function-reference.ts';

/** The version that a request points to, and how the request named it. */
export interface Target {
  readonly reference: FunctionReference;
  readonly record: FunctionRecord;
  readonly version: VersionRecord;
}

/** An alias with weights sends that share of its invokes to the other version. */
export function pickVersion(alias: AliasRecord, random: Random): number {
  let at = alias.weights && Object.keys(alias.weights).length > 0 ? random.float() : 1;
  for (const [version, weight] of Object.entries(alias.weights)) {
    if (at < weight) return Number(version);
    at -= weight;
  }
  return alias.version;
}

/** Its `data.arn` is the ARN as it was asked for. */
export function functionNotFound(region: string, reference: FunctionReference): SluiceError {
  const arn = functionArn(region, reference, reference.qualifier);
  return new SluiceError('FUNCTION_NOT_FOUND', `${arn}: no such function`, { data: { arn } });
}

/** The function, whatever the qualifier. Rejects with `FUNCTION_NOT_FOUND`. */
export async function findFunction(
  catalogue: Catalogue,
  reference: FunctionReference,
): Promise<FunctionRecord> {
  const record = await catalogue.cache.read(reference);
  if (!record) throw functionNotFound(catalogue.region, reference);
  return record;
}

/** The version that the qualifier names; an alias gives its main version. Rejects with `FUNCTION_NOT_FOUND`. */
export async function findTarget(
  catalogue: Catalogue,
  reference: FunctionReference,
  pick: (alias: AliasRecord) => number = (alias) => alias.version,
): Promise<Target> {
  const record = await findFunction(catalogue, reference);
  const number = versionNumber(record, reference.qualifier, pick);
  if (number === LATEST) return { reference, record, version: record.latest };
  const version =
    number === undefined ? undefined : await catalogue.cache.readVersion(reference, number);
  if (!version) throw functionNotFound(catalogue.region, reference);
  return { reference, record, version };
}

/** The number that a qualifier stands for; undefined when it names nothing. */
export function versionNumber(
  record: FunctionRecord,
  qualifier: string | undefined,
  pick: (alias: AliasRecord) => number = (alias) => alias.version,
): number | undefined {
  if (qualifier === undefined || qualifier === '$LATEST') return LATEST;
  if (/^[1-9]\d{0,14}$/.test(qualifier)) return Number(qualifier);
  const alias = Object.hasOwn(record.aliases, qualifier) ? record.aliases[qualifier] : undefined;
  return alias && pick(alias);
}
