import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
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
