import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * What a region cannot do without (capabilities(7)), by bit of linux/capability.h. Each names what
 * fails without it; all that start sandboxes and helpers have no more, as they inherit the bounds.
 */
const KEPT: Readonly<Record<string, number>> = {
  /** Pipes are given to a sandbox's user. */
  chown: 0,
  /** Cgroups that another user's processes are in, and what helpers left. */
  dac_override: 1,
  kill: 5,
  setgid: 6,
  setuid: 7,
  /** Sandboxes and helpers empty their own bounding set. */
  setpcap: 8,
  /** A sandbox's loopback interface, and its network. */
  net_admin: 12,
  /** Devices are opened below `/proc/PID/root` of their agent. */
  sys_ptrace: 19,
  /** Mounts, namespaces, loop devices. */
  sys_admin: 21,
  /** Agents go before those who compute. */
  sys_nice: 23,
  /** Limits are raised, of open files and of file sizes. */
  sys_resource: 24,
  /** A sandbox's `/dev`. */
  mknod: 27,
};

export const NET_BIND_SERVICE = 10;
const FIRST_FREE_PORT = 1024;
/** Set while this process is made anew, so that it is tried once. */
const MARK = 'SLUICE_FEW_CAPABILITIES';

/** The bits that a warden keeps, of those that the text of a `/proc/PID/status` has. */
export function wardenCapabilities(status: string): number[] {
  const bounds = BigInt(`0x${fieldOf(status, 'CapBnd')}`);
  return Object.values(KEPT).filter((bit) => (bounds >> BigInt(bit)) & 1n);
}

const fieldOf = (status: string, name: string) =>
  new RegExp(`^${name}:\\s*(\\w+)`, 'm').exec(status)?.[1] ?? '0';

/** The capabilities to keep, by setpriv's names; undefined where nothing is to be taken. */
export function keptCapabilities(status: string, port: number): readonly string[] | undefined {
  const kept = Object.entries(KEPT);
  if (port > 0 && port < FIRST_FREE_PORT) kept.push(['net_bind_service', NET_BIND_SERVICE]);
  const field = (name: string) => fieldOf(status, name);
  const bounds = BigInt(`0x${field('CapBnd')}`);
  const wanted = kept.reduce((set, [, bit]) => set | (1n << BigInt(bit)), 0n);
  const isRoot = field('Uid') === '0';
  if (!isRoot || ((bounds & ~wanted) === 0n && field('NoNewPrivs') === '1')) return undefined;
  return kept.filter(([, bit]) => (bounds >> BigInt(bit)) & 1n).map(([name]) => name);
}

/**
 * Makes this process anew, under the same pid, with no capabilities but those that a region needs,
 * for itself and all that it starts, and no way to gain others (`PR_SET_NO_NEW_PRIVS`). Does not
 * return then. Answers false where util-linux's `setpriv` is missing.
 */
export function keepFewCapabilities(port: number): boolean {
  const wasTried = process.env[MARK] !== undefined;
  delete process.env[MARK];
  const kept = keptCapabilities(readFileSync('/proc/self/status', 'utf8'), port);
  if (!kept || wasTried) return true;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin'];
  const setpriv = folders.map((folder) => join(folder, 'setpriv')).find(existsSync);
  if (setpriv === undefined || !process.execve) return false;
  const bounds = ['-all', ...kept.map((name) => `+${name}`)].join(',');
  const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const words = ['--no-new-privs', '--inh-caps=-all', `--bounding-set=${bounds}`, '--', ...own];
  return process.execve(setpriv, [setpriv, ...words], { ...process.env, [MARK]: '1' });
}
