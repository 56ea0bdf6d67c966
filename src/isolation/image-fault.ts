import { SluiceError } from '../base/mod.ts';

/** What of an image a sandbox cannot be started from, as `data.reasonCode` names it. */
export type ImageFault =
  | 'FunctionError.InvalidEntryPoint'
  | 'FunctionError.InvalidWorkingDirectory'
  | 'FunctionError.InvalidEnvironment'
  | 'FunctionError.InvalidImage';

/** A start that failed because of what the image says or holds: its author can mend it. */
export function imageFault(
  reasonCode: ImageFault,
  message: string,
  data: Readonly<Record<string, unknown>>,
): SluiceError {
  return new SluiceError('SANDBOX_START_FAILED', message, { data: { ...data, reasonCode } });
}
