import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RUN_DIRECTORY } from './shared.ts';
import { until } from './until.ts';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A line for each loop device in use: its name and its backing file. */
export function loopDevices(): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .map((name) => `${name} ${read(join('/sys/block', name, 'loop/backing_file')).trim()}`)
    .filter((line) => line.includes(' /'));
}

/** A process and when it was born, so that a successor with its number is another. */
function birthOf(pid: string): { parent: string; born: string } | undefined {
  // proc_pid_stat(5): behind the name in brackets come state, parent, …; field 22 is the birth.
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  const [state, parent = ''] = fields;
  return fields.length < 20 || state === 'Z' ? undefined : { parent, born: fields[19] ?? '' };
}

/** A process and all that descend from it. */
function familyOf(pid: number): string[] {
  const children = new Map<string, string[]>();
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const { parent = '' } = birthOf(name) ?? {};
    children.set(parent, [...(children.get(parent) ?? []), name]);
  }
  const family = [String(pid)];
  for (const each of family) family.push(...(children.get(each) ?? []));
  return family;
}

/** The loop devices that a process has mounted where it sees files, by name. */
function loopsMountedBy(pid: string): string[] {
  // proc_pid_mountinfo(5): the third field is the device; loop devices are of major 7.
  const mounts = read(`/proc/${pid}/mountinfo`).matchAll(/^\d+ \d+ 7:(\d+) /gm);
  return [...mounts].map(([, minor]) => `loop${minor}`);
}

/** The paths of all regions' cgroups. */
export function cgroups(directory = '/sys/fs/cgroup', depth = 0): string[] {
  if (depth > 3 || !existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.name.startsWith('sluice') ? [path] : cgroups(path, depth + 1);
    });
}

/**
 * What one region has on this host: noted while it lives, looked for after its end. Others may come
 * and go meanwhile; of the loop devices it has those that its processes have mounted.
 */
export class RegionTraces {
  readonly #dataDirectory: string;
  readonly #loopsBefore = new Set(loopDevices());
  readonly #processes = new Map<string, string>();
  readonly #loops = new Set<string>();
  readonly #cgroups = new Set<string>();

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  note(pid: number): void {
    const mounted = new Set<string>();
    for (const each of familyOf(pid)) {
      for (const name of loopsMountedBy(each)) mounted.add(name);
      this.#processes.set(each, birthOf(each)?.born ?? '');
      for (const [name] of read(`/proc/${each}/cgroup`).matchAll(/sluice-[\w-]+/g)) {
        this.#cgroups.add(name);
      }
    }
    for (const each of loopDevices()) {
      const isOwn = mounted.has(each.slice(0, each.indexOf(' ')));
      if (isOwn && !this.#loopsBefore.has(each)) this.#loops.add(each);
    }
  }

  /** What is there now of what was noted, and whatever is mounted below the data directory. */
  get present(): string[] {
    const loops = new Set(loopDevices());
    const mounts = read('/proc/self/mounts').split('\n');
    return [
      ...[...this.#processes].filter(([pid, born]) => birthOf(pid)?.born === born).map(String),
      ...[...this.#loops].filter((each) => loops.has(each)),
      ...cgroups().filter((path) => this.#cgroups.has(basename(path))),
      ...mounts.filter((line) => line.includes(this.#dataDirectory)),
    ];
  }

  /** Waits until all is gone but what is waived: the kernel cleans up behind a killed process. */
  async gone(waived: (trace: string) => boolean = () => false): Promise<void> {
    const left = () => this.present.filter((trace) => !waived(trace));
    await until(
      () => `an end of ${left().join(', ')}`,
      () => left().length === 0,
    );
  }
}

/** Has the run look, at its end, for what a region with this data directory left on the host. */
export function noteRegion(dataDirectory: string): void {
  const run = process.env[RUN_DIRECTORY];
  if (run) appendFileSync(join(run, 'regions'), `${dataDirectory}\n`);
}

/** The cgroups of a region and its helpers: they are named after the data directory. */
export function cgroupsOfRegion(dataDirectory: string): string[] {
  const owner = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 12);
  const names = [`sluice-${owner}`, `sluice-${owner}-helpers`];
  return cgroups().filter((each) => names.includes(basename(each)));
}

/** Removes the cgroups of a region that was killed, which the next one on its data would do. */
export function removeCgroupsOf(dataDirectory: string): void {
  for (const parent of cgroupsOfRegion(dataDirectory)) {
    const below = readdirSync(parent, { withFileTypes: true }).filter((each) => each.isDirectory());
    try {
      for (const { name } of below) rmdirSync(join(parent, name));
      rmdirSync(parent);
    } catch {
      // One that is in use is told of by the run.
    }
  }
}

/** What is on this host now of a run's regions and processes, a line each. */
export function leftOfRun(run: string): string[] {
  const noted = read(join(run, 'regions')).split('\n').filter(Boolean);
  const regions = [...new Set(noted)];
  const isOfRegion = (line: string) => regions.some((each) => line.includes(each));
  const mark = `${RUN_DIRECTORY}=${run}`;
  const processes = readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && read(`/proc/${pid}/environ`).split('\0').includes(mark),
  );
  return [
    ...processes
      .filter((pid) => birthOf(pid) !== undefined)
      .map((pid) => `process ${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`),
    ...regions.flatMap((each) => cgroupsOfRegion(each)).map((path) => `cgroup ${path}`),
    ...read('/proc/self/mounts')
      .split('\n')
      .filter(isOfRegion)
      .map((line) => `mount ${line}`),
    ...loopDevices().filter(isOfRegion),
  ];
}
