import { fileURLToPath } from 'node:url';
import type { Architecture } from './system-call-numbers.ts';

/** The static program that runs a launch program; `build.sh` makes it. */
export function launchBinary(architecture: Architecture): string {
  return fileURLToPath(new URL(`launch.${architecture}`, import.meta.url));
}
