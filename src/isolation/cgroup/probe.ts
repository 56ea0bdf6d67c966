import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, SluiceError } from '../../base/mod.ts';
import type { CgroupTree } from './types.ts';
import {
  CgroupTreeV1,
  CONTROLLERS_V1,
  type MountsV1,
  SHOWN_V1,
  type ShownMountsV1,
} from './version-1.ts';
import { CgroupTreeV2 } from './version-2.ts';

export interface CgroupProbeOptions {
  /** Tells instances of Sluice on one host apart: `[a-z0-9-]{1,64}`. */
  readonly ownerId: string;
  readonly clock: Clock;
  /** Read instead of `/proc/self/mounts`, by tests. */
  readonly mountsFile?: string;
}

interface Mount {
  readonly directory: string;
  readonly type: string;
  readonly options: readonly string[];
}

/**
 * Finds which cgroups this host has and answers this instance's tree in them. A hybrid host has
 * both versions mounted; whichever holds the controllers counts.
 */
export async function probeCgroups(options: CgroupProbeOptions): Promise<CgroupTree> {
  const { ownerId, clock, mountsFile = '/proc/self/mounts' } = options;
  if (!/^[a-z0-9-]{1,64}$/.test(ownerId)) {
    throw new SluiceError('USAGE', `${ownerId}: an owner id is 1 to 64 of a-z, 0-9 and -`);
  }
  const parent = `sluice-${ownerId}`;
  const mounts = parseMounts(await readFile(mountsFile, 'utf8'));
  const version1 = findVersion1(mounts);
  if (version1 !== undefined) {
    const shown = mountsOf(mounts, SHOWN_V1) as ShownMountsV1;
    return new CgroupTreeV1(version1, shown, parent, clock);
  }
  const version2 = await findVersion2(mounts);
  if (version2 !== undefined) return new CgroupTreeV2(version2, parent, clock);
  throw new SluiceError(
    'HOST_LACKS',
    'cgroups: neither version 1 (memory, cpu, pids, freezer) nor version 2 (memory, cpu, pids) ' +
      'is mounted with its controllers; mount cgroup2 on /sys/fs/cgroup',
  );
}

function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, directory = '', type = '', options = ''] = line.split(' ');
      return { directory: unescapeOctal(directory), type, options: options.split(',') };
    });
}

/** `/proc/self/mounts` writes space, tab, newline and backslash as octal numbers. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function findVersion1(mounts: readonly Mount[]): MountsV1 | undefined {
  const found = mountsOf(mounts, CONTROLLERS_V1);
  return CONTROLLERS_V1.every((each) => found[each] !== undefined)
    ? (found as MountsV1)
    : undefined;
}

function mountsOf(
  mounts: readonly Mount[],
  controllers: readonly string[],
): Readonly<Record<string, string>> {
  const found = controllers.flatMap((controller) =>
    mounts
      .filter((each) => each.type === 'cgroup' && each.options.includes(controller))
      .slice(0, 1)
      .map((each) => [controller, each.directory] as const),
  );
  return Object.fromEntries(found);
}

async function findVersion2(mounts: readonly Mount[]): Promise<string | undefined> {
  for (const { directory, type } of mounts) {
    if (type !== 'cgroup2') continue;
    const text = await readFile(join(directory, 'cgroup.controllers'), 'utf8');
    const controllers = text.trim().split(' ');
    if (['memory', 'cpu', 'pids'].every((each) => controllers.includes(each))) return directory;
  }
  return undefined;
}
