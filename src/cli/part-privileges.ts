import { existsSync, readFileSync, type Stats, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits, systemRandom } from '../base/mod.ts';
import { dataDirectory, readSettings } from '../config/mod.ts';
import { partInTwo, WardenClient } from '../isolation/mod.ts';
import type { WardenArguments } from '../serve/mod.ts';
import { keepFewCapabilities, NET_BIND_SERVICE, wardenCapabilities } from './few-capabilities.ts';

const WARDEN_MAIN = fileURLToPath(new URL('../serve/warden-main.ts', import.meta.url));
/** Set in the process that has given up its privileges. */
const MARK = 'SLUICE_WARDED';

export interface Privileges {
  /** Who has what this process gave up; absent where there was nothing, or it keeps some. */
  readonly warden?: WardenClient;
  /** Whether this process has no more than it needs. */
  readonly isFew: boolean;
}

/**
 * Gives up every privilege: makes this process anew, under the same pid, with a warden that keeps
 * those that jails and sandboxes need. Does not return then. Where helpers are not jailed, this
 * process starts them itself and keeps a few; who is not root has none.
 */
export function partWithPrivileges(given: WardenArguments, port: number): Privileges {
  if (process.env[MARK] !== undefined) {
    delete process.env[MARK];
    return { warden: new WardenClient(process), isFew: true };
  }
  if (!mayPart(given.dataPath)) return { isFew: keepFewCapabilities(port) };
  const status = readFileSync('/proc/self/status', 'utf8');
  const data = dataDirectory(given.dataPath);
  const node = [process.execPath, ...process.execArgv] as const;
  const environment = process.env;
  const wardenArguments = JSON.stringify({ ...given, dataPath: data.path });
  return partInTwo({
    file: join(tmpdir(), `sluice-parting-${process.pid}-${systemRandom.uuid()}`),
    region: {
      argv: [...node, ...process.argv.slice(1)],
      environment: { ...environment, [MARK]: '1' },
      capabilities: port > 0 && port < 1024 ? [NET_BIND_SERVICE] : [],
    },
    warden: {
      argv: [...node, WARDEN_MAIN],
      environment: { ...environment, SLUICE_WARDEN: wardenArguments },
      capabilities: wardenCapabilities(status),
    },
    ...(openFilesOf(process.pid) < limits.host.openFiles && { openFiles: limits.host.openFiles }),
  });
}

function openFilesOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/limits`, 'utf8');
  const value = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return value === undefined ? Number.POSITIVE_INFINITY : Number(value);
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

const OTHERS_MAY_ENTER = 0o001;

/** Whether root gets to its own files there without overriding anybody's rights. */
function isReachable(path: string): boolean {
  const own = statOf(path);
  if (own && own.uid !== 0) return false;
  for (let above = dirname(path); ; above = dirname(above)) {
    const found = statOf(above);
    if (found && found.uid !== 0 && !(found.mode & OTHERS_MAY_ENTER)) return false;
    if (above === '/') return true;
  }
}

/** Settings that cannot be read are reported by whoever reads them next. */
function mayPart(dataPath: string): boolean {
  if (process.getuid?.() !== 0 || !process.execve || !existsSync('/bin/sh')) return false;
  const { path, configFile } = dataDirectory(dataPath);
  if (!isReachable(path)) return false;
  try {
    return readSettings(configFile).helpers.jail === 'on';
  } catch {
    return false;
  }
}
