import type { Clock, Logger, Random } from '../base/mod.ts';
import type { FunctionCache, Provisioner } from '../catalogue/mod.ts';
import type { OnDamaged } from '../database/mod.ts';
import type { EventQueue, EventSourceSupport, TopicDirectory } from '../delivery/mod.ts';
import type { Invoker } from '../dispatch/mod.ts';
import type { ZipSupport } from '../install/mod.ts';
import type { FunctionStore, Stamp } from '../records/mod.ts';
import type { ArchiveUpkeep } from './archive-upkeep.ts';
import type { MayMount } from './configuration.ts';
import type { DownloadLinks } from './download-links.ts';
import type { Installs } from './installs.ts';

/** What operations work with; one object for the life of the server. */
export interface Services {
  readonly region: string;
  readonly store: FunctionStore;
  readonly cache: FunctionCache;
  readonly installs: Installs;
  readonly invoker: Invoker;
  readonly events: EventQueue | undefined;
  readonly eventSources: EventSourceSupport;
  readonly topics: TopicDirectory | undefined;
  readonly provisioner: Provisioner | undefined;
  readonly isDiskLow: () => boolean;
  readonly zip: ZipSupport | undefined;
  readonly archives: ArchiveUpkeep;
  readonly downloads: DownloadLinks;
  /** The address of a function URL, as clients reach it. */
  readonly functionUrl: (urlId: string) => string;
  readonly unsupported: 'refuse' | 'warn';
  readonly mayMount: MayMount;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Names a record that cannot be read in the log, and counts it. */
  readonly onDamaged: OnDamaged;
}

export function stampOf({ clock, random }: Services): Stamp {
  return { nowMs: clock.nowMs(), newId: () => random.uuid() };
}
