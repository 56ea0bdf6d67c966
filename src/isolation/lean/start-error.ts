import { SluiceError } from '../../base/mod.ts';
import { imageFault } from '../image-fault.ts';
import type { SandboxSpec } from '../spec.ts';
import { MOUNT_DISK, OPEN_DISK } from './compose/disk.ts';
import { ENTER_WORKING_DIRECTORY, RUN_ENTRYPOINT } from './compose/entrypoint.ts';
import { errnoName } from './launcher/launcher.ts';

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'no such file, or its interpreter is missing',
  EACCES: 'permission denied',
  ENOEXEC: 'not a program that this processor can run',
  ENOTDIR: 'not a directory',
  E2BIG: 'arguments and environment are too long',
};

/** The steps that make and fill the directories that every sandbox has. */
const MOUNT_POINT = /^(?:make|mount) (\/(?:tmp|dev|proc))$/;
/** EINVAL is what `move_mount` says of a directory over a file. */
const NOT_A_DIRECTORY: ReadonlySet<string> = new Set(['ENOTDIR', 'ENOENT', 'ELOOP', 'EINVAL']);
/** What an image's own names, links and programs lead to; anything else is this host's failure. */
const imageFaults = new Set([
  ...Object.keys(WHY),
  'ELOOP',
  'ENAMETOOLONG',
  'EISDIR',
  'EINVAL',
  'EPERM',
]);

/**
 * The error of a start that failed at a named step. `data.reasonCode` is Lambda's where the
 * image is at fault.
 */
export function startError(spec: SandboxSpec, step: string, errno: number): SluiceError {
  const name = errnoName(errno);
  const why = WHY[name] ?? name;
  const { shape, identity } = spec;
  const { sandboxId } = identity;
  const base = { sandboxId, step, errno: name };
  const isImages = imageFaults.has(name);
  if (step === RUN_ENTRYPOINT && isImages) {
    const message = `entrypoint ${shape.argv[0]}: ${why}`;
    return imageFault('FunctionError.InvalidEntryPoint', message, base);
  }
  if (step === ENTER_WORKING_DIRECTORY && isImages) {
    const { workingDirectory } = shape;
    const message = `working directory ${workingDirectory}: ${name === 'ENOENT' ? 'no such directory' : why}`;
    return imageFault('FunctionError.InvalidWorkingDirectory', message, base);
  }
  const mountPoint = MOUNT_POINT.exec(step)?.[1];
  if (mountPoint !== undefined && NOT_A_DIRECTORY.has(name)) {
    const message = `${mountPoint}: the image has a file or a broken link there, not a directory`;
    return imageFault('FunctionError.InvalidImage', message, base);
  }
  const about = step === OPEN_DISK || step === MOUNT_DISK ? shape.diskPath : sandboxId;
  return new SluiceError('SANDBOX_START_FAILED', `${about}: cannot ${step}: ${name}`, {
    data: base,
  });
}
