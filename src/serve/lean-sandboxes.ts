import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, systemClock } from '../base/mod.ts';
import type { DataDirectory, Settings } from '../config/mod.ts';
import {
  CgroupPool,
  LeanSandboxFactory,
  type NetworkKind,
  OutboundNetwork,
  openUserPool,
} from '../isolation/mod.ts';
import { ownerIdOf } from './helper-cgroups.ts';

export interface LeanSandboxesOptions {
  readonly data: DataDirectory;
  readonly settings: Settings;
  readonly kind: NetworkKind;
  readonly logger: Logger;
  /** Whether another process than this reads the output, by named pipes. */
  readonly pipes?: boolean;
}

/** What makes sandboxes, and what ends it and its network. */
export interface LeanSandboxes {
  readonly factory: LeanSandboxFactory;
  close(): Promise<void>;
}

async function emptyDirectory(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

/** Makes sandboxes in this process, once what a killed region left is cleared. */
export async function openLeanSandboxes(options: LeanSandboxesOptions): Promise<LeanSandboxes> {
  const { data, settings, kind, logger } = options;
  const { outbound, sandbox } = settings;
  const ownerId = ownerIdOf(data);
  const clock = systemClock;
  const cgroups = await CgroupPool.open({ ownerId, clock, logger });
  let network: OutboundNetwork | undefined;
  if (kind === 'outbound') network = await OutboundNetwork.open({ ownerId, logger, outbound });
  else await OutboundNetwork.sweep(ownerId);
  try {
    const users = await openUserPool(sandbox.firstUid, Number.parseInt(ownerId.slice(0, 8), 16));
    const pipesDirectory = join(data.run, 'pipes');
    const factory = new LeanSandboxFactory({
      ...{ cgroups, users, clock, logger, network },
      scratchDirectory: join(data.run, 'scratch'),
      ...(options.pipes && { pipesDirectory: await emptyDirectory(pipesDirectory) }),
    });
    const swept = await factory.sweep();
    if (swept.cgroups > 0) logger.warn({ ...swept }, 'cleared what a killed region left');
    const close = async () => {
      await factory.close();
      await network?.close();
      await rm(pipesDirectory, { recursive: true, force: true });
    };
    return { factory, close };
  } catch (error) {
    await network?.close();
    throw error;
  }
}
