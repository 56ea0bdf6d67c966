import { writeFileSync } from 'node:fs';
import { SluiceError } from '../../base/mod.ts';
import { launchBinary } from '../launch/binary.ts';
import { hostArchitecture } from '../lean/launcher/launcher.ts';
import { readLastCapability } from '../lean/proc-view.ts';
import { type Becoming, composeParting } from './compose-parting.ts';

export interface PartOptions {
  readonly region: Becoming;
  readonly warden: Becoming;
  readonly openFiles?: number;
  /** Is not there yet; holds the program until that is read. */
  readonly file: string;
}

/** Opens the program as the descriptor that the launch binary reads, and becomes that. */
const SCRIPT = 'exec 3<"$1" 4>/dev/null; rm -f "$1"; exec "$2"';

/** Parts this process in two, and does not return. Throws `HOST_LACKS` where Node cannot. */
export function partInTwo({ region, warden, openFiles, file }: PartOptions): never {
  const architecture = hostArchitecture();
  const lastCapability = readLastCapability();
  const program = composeParting({
    ...{ architecture, lastCapability, region, warden },
    ...(openFiles !== undefined && { openFiles }),
  });
  writeFileSync(file, program.encode(), { mode: 0o600, flag: 'wx' });
  const words = ['sh', '-c', SCRIPT, 'sh', file, launchBinary(architecture)];
  process.execve?.('/bin/sh', words, { PATH: '/usr/bin:/bin' });
  throw new SluiceError('HOST_LACKS', `${process.version}: Node.js cannot become another program`);
}
