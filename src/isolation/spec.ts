import { SluiceError } from '../base/mod.ts';
import type { SandboxSpec } from './types.ts';

const MAX_ID = 2 ** 32 - 2;

/** Throws `USAGE` for a spec that no sandbox can be started from. */
export function checkSpec(spec: SandboxSpec): void {
  const refuse = (what: string): never => {
    throw new SluiceError('USAGE', `sandbox ${JSON.stringify(spec.sandboxId)}: ${what}`);
  };
  const checkInteger = (name: keyof SandboxSpec, least: number, most: number) => {
    const value = spec[name] as number;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      refuse(`${name} is ${value}, which is no integer from ${least} to ${most}`);
    }
  };
  if (!/^[a-z0-9-]{1,64}$/.test(spec.sandboxId)) refuse('its id is not 1 to 64 of a-z, 0-9 and -');
  if (!spec.argv[0]) refuse('it has no entrypoint; set ENTRYPOINT or CMD in the image');
  if (!spec.workingDirectory.startsWith('/')) refuse('its working directory is not absolute');
  for (const [name, value] of Object.entries(spec.environment)) {
    if (!/^[^=\0]+$/.test(name) || value.includes('\0')) {
      refuse(`its environment variable ${JSON.stringify(name)} has a forbidden character`);
    }
  }
  checkInteger('uid', 0, MAX_ID);
  checkInteger('gid', 0, MAX_ID);
  checkInteger('memoryBytes', 1, Number.MAX_SAFE_INTEGER);
  checkInteger('cpuMillis', 1, 1_000_000);
  checkInteger('tmpBytes', 4096, Number.MAX_SAFE_INTEGER);
  checkInteger('processes', 1, 1_000_000);
  checkInteger('openFiles', 3, 1_048_576);
}
