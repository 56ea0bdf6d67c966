import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '../../src/base/mod.ts';
import { cgroups, loopDevices } from '../../test/support/leftovers.ts';
import type { RunningRegion } from '../../test/support/region.ts';
import { processTree } from './processes.ts';

export type Sample = Readonly<Record<string, number>>;

/** The files below a folder and their bytes; the origin grows with what is stored, and is left out. */
function filesIn(folder: string): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 };
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) {
    const path = join(folder, name);
    // What belongs to a start comes and goes meanwhile.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) {
      const { files, bytes } = filesIn(path);
      sum.files += files;
      sum.bytes += bytes;
    } else if (found?.isFile()) {
      sum.files++;
      sum.bytes += found.size;
    }
  }
  return sum;
}

function lines(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

/** What a region holds now: processes, descriptors, mounts, files. Loop devices and cgroups are all that the host has. */
export function countersOf(region: RunningRegion): Sample {
  const pid = region.process.pid ?? 0;
  const tree = processTree(pid);
  const [own] = tree;
  const data = region.dataDirectory;
  const state = filesIn(join(data, 'state'));
  const rest = ['run', 'spool', 'keys', 'destinations', 'cache'].map((name) =>
    filesIn(join(data, name)),
  );
  const threads = /^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    residentMib: (own?.residentBytes ?? 0) / MIB,
    helpersMib: tree.slice(1).reduce((sum, { residentBytes }) => sum + residentBytes, 0) / MIB,
    openFiles: own?.openFiles ?? 0,
    threads: Number(threads),
    processes: tree.length,
    processFiles: tree.slice(1).reduce((sum, { openFiles }) => sum + openFiles, 0),
    mounts: lines(`/proc/${pid}/mounts`),
    cgroups: cgroups().length,
    loops: loopDevices().length,
    databaseKib: state.bytes / 1024,
    runFiles: filesIn(join(data, 'run')).files,
    files: state.files + rest.reduce((sum, { files }) => sum + files, 0),
    logMib: filesIn(join(data, 'logs')).bytes / MIB,
  };
}
