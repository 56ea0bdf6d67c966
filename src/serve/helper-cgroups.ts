import { createHash } from 'node:crypto';
import { type Logger, systemClock } from '../base/mod.ts';
import type { DataDirectory } from '../config/mod.ts';
import { CgroupPool, type Jails } from '../isolation/mod.ts';

/** Names this data directory's cgroups, so that regions on one host don't sweep each other's. */
export function ownerIdOf({ path }: DataDirectory): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12);
}

/** Gives each helper a cgroup, where they can be jailed, after a killed region's are gone. */
export async function confineHelpers(
  jails: Jails,
  data: DataDirectory,
  logger: Logger,
): Promise<void> {
  if (!jails.jails) return;
  const ownerId = `${ownerIdOf(data)}-helpers`;
  const cgroups = await CgroupPool.open({ ownerId, clock: systemClock, logger });
  await cgroups.sweep();
  jails.useCgroups(cgroups);
}
