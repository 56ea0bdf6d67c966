import { SluiceError } from '../../base/mod.ts';
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

/**
 * The error of a start that failed at a named step. `data.reasonCode` is Lambda's where the
 * image is at fault: `FunctionError.InvalidEntryPoint`, `FunctionError.InvalidWorkingDirectory`.
 */
export function startError(spec: SandboxSpec, step: string, errno: number): SluiceError {
  const name = errnoName(errno);
  const why = WHY[name] ?? name;
  const { shape, identity } = spec;
  const { sandboxId } = identity;
  const base = { sandboxId, step, errno: name };
  if (step === RUN_ENTRYPOINT) {
    return new SluiceError('SANDBOX_START_FAILED', `entrypoint ${shape.argv[0]}: ${why}`, {
      data: { ...base, reasonCode: 'FunctionError.InvalidEntryPoint' },
    });
  }
  if (step === ENTER_WORKING_DIRECTORY) {
    const { workingDirectory } = shape;
    return new SluiceError(
      'SANDBOX_START_FAILED',
      `working directory ${workingDirectory}: ${why}`,
      {
        data: { ...base, reasonCode: 'FunctionError.InvalidWorkingDirectory' },
      },
    );
  }
  const about = step === OPEN_DISK || step === MOUNT_DISK ? shape.diskPath : sandboxId;
  return new SluiceError('SANDBOX_START_FAILED', `${about}: cannot ${step}: ${name}`, {
    data: base,
  });
}
