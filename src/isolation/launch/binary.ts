import { fileURLToPath } from 'node:url';
import type { MachineArchitecture } from './system-call-numbers.ts';

/** The static program that runs a launch program; `build.sh` makes it. */
export function launchBinary(architecture: MachineArchitecture): string {
  return fileURLToPath(new URL(`launch.${architecture}`, import.meta.url));
}
