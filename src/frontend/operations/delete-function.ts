import { type FunctionReference, functionArn, functionNotFound } from '../../catalogue/mod.ts';
import { type FunctionRecord, removeVersion, versionExists } from '../../records/mod.ts';
import { conflict, invalidParameter } from '../api-error.ts';
import { changeFunction } from '../change.ts';
import { noContent, type Operation } from '../operation.ts';
import { referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';
import { withoutQualifier } from '../without-qualifier.ts';
import { pointsTo } from './aliases.ts';

const PAGE = 100;

/**
 * `DeleteFunction`: with a number that version, else the function and all that belongs to it. The
 * record goes first, so that no new invoke finds it; then the sandboxes.
 */
export function deleteFunction(services: Services): Operation {
  return {
    name: 'DeleteFunction',
    method: 'DELETE',
    path: '/2015-03-31/functions/:FunctionName',
    async handle(request) {
      const reference = referenceOf(services, request, 'DeleteFunction');
      if (reference.qualifier === '$LATEST') {
        throw invalidParameter('$LATEST version cannot be deleted without deleting the function.');
      }
      if (reference.qualifier !== undefined) {
        await deleteVersion(services, reference, reference.qualifier);
      } else {
        await deleteWhole(services, reference);
      }
      return noContent;
    },
  };
}

/** Deleting a version that is not there is no mistake: the service answers 204. */
async function deleteVersion(
  services: Services,
  reference: FunctionReference,
  qualifier: string,
): Promise<void> {
  const unqualified = withoutQualifier(reference);
  const version = /^[1-9]\d{0,14}$/.test(qualifier) ? Number(qualifier) : undefined;
  if (version === undefined) throw functionNotFound(services.region, unqualified);
  let removed = false;
  await changeFunction(services, unqualified, (record) => {
    removed = versionExists(record, version);
    if (!removed) return { function: record };
    requireUnused(record, version);
    return removeVersion(record, version);
  });
  if (!removed) return;
  services.archives.freed(reference.accountId);
  await services.invoker.drain(functionArn(services.region, reference, qualifier));
}

/** A version that an alias or provisioned concurrency needs stays. */
function requireUnused(record: FunctionRecord, version: number): void {
  const aliases = Object.values(record.aliases).filter((each) => pointsTo(each, version));
  if (aliases.length > 0) {
    const names = aliases.map((each) => each.name).join(', ');
    throw conflict(`Version ${version} cannot be deleted: these aliases point to it: ${names}`);
  }
  if (Object.hasOwn(record.provisionedConcurrency, String(version))) {
    throw conflict(`Version ${version} cannot be deleted: it has provisioned concurrency.`);
  }
}

async function deleteWhole(services: Services, reference: FunctionReference): Promise<void> {
  const { store, installs, invoker, region } = services;
  const record = await store.read(reference);
  if (!record) throw functionNotFound(services.region, reference);
  const arns = [functionArn(region, reference, '$LATEST')];
  for (let after = 0; ; ) {
    const page = await store.listVersions(reference, after, PAGE);
    const last = page.at(-1);
    if (!last) break;
    arns.push(...page.map((each) => functionArn(region, reference, String(each.version))));
    after = last.version;
  }
  if (!(await store.remove(reference))) throw functionNotFound(services.region, reference);
  services.archives.freed(reference.accountId);
  installs.cancel(record);
  await Promise.all(arns.map((each) => invoker.drain(each)));
}
