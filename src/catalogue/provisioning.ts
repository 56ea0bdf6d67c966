import type { Logger } from '../base/mod.ts';
import type { OnDamaged } from '../database/mod.ts';
import type { FunctionRecord, FunctionStore, FunctionVersion } from '../records/mod.ts';
import type { Catalogue } from './catalogue.ts';
import { servingVersion } from './serving-version.ts';
import { findTarget } from './targets.ts';

export interface ProvisionedState {
  readonly allocated: number;
  readonly available: number;
  readonly status: 'READY' | 'IN_PROGRESS' | 'FAILED';
  readonly statusReason?: string;
}

/** Keeps sandboxes of a version ready before any call. */
export interface Provisioner {
  /** From now on `count` of them; 0 ends it. */
  provision(version: FunctionVersion, count: number): Promise<void>;
  provisioned(version: FunctionVersion): Promise<ProvisionedState>;
}

export interface ProvisioningServices extends Catalogue {
  readonly provisioner: Provisioner | undefined;
  readonly logger: Logger;
}

/**
 * Tells the provisioner what each version of a function is to have now. A version's share is the
 * sum of what is asked for it by its number and by the aliases that point to it.
 */
export async function provisionFunction(
  services: ProvisioningServices,
  record: FunctionRecord,
  before: FunctionRecord = record,
): Promise<void> {
  const { provisioner } = services;
  if (!provisioner) return;
  const wanted = new Map<string, number>();
  for (const each of Object.keys(before.provisionedConcurrency)) {
    const version = numberBehind(before, each);
    if (version !== undefined) wanted.set(version, 0);
  }
  for (const [qualifier, { requested }] of Object.entries(record.provisionedConcurrency)) {
    const version = numberBehind(record, qualifier);
    if (version !== undefined) wanted.set(version, (wanted.get(version) ?? 0) + requested);
  }
  for (const [qualifier, count] of wanted) {
    const { accountId, name } = record;
    const target = await findTarget(services, { accountId, name, qualifier });
    await provisioner.provision(servingVersion(services.region, target), count);
  }
}

function numberBehind(record: FunctionRecord, qualifier: string): string | undefined {
  if (/^\d+$/.test(qualifier)) return qualifier;
  const alias = Object.hasOwn(record.aliases, qualifier) ? record.aliases[qualifier] : undefined;
  return alias && String(alias.version);
}

/** After a restart: the sandboxes that were promised. */
export async function provisionAll(
  services: ProvisioningServices,
  store: FunctionStore,
  onDamaged: OnDamaged,
): Promise<void> {
  if (!services.provisioner) return;
  for (const record of await store.provisioned(onDamaged)) {
    await provisionFunction(services, record).catch((error) => {
      const fields = { account: record.accountId, function: record.name, error };
      services.logger.error(fields, 'provisioned concurrency could not be taken up');
    });
  }
}
