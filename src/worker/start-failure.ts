import { isSluiceError } from '../base/mod.ts';
import type { FunctionFailure } from './function-error.ts';

/** Lambda's reason codes for what only the function's author can mend. */
const invalidReasons: Readonly<Record<string, string>> = {
  'FunctionError.InvalidEntryPoint': 'Runtime.InvalidEntrypoint',
  'FunctionError.InvalidWorkingDirectory': 'Runtime.InvalidWorkingDir',
  'FunctionError.InvalidEnvironment': 'Runtime.InvalidEnvironment',
  'FunctionError.InvalidImage': 'Runtime.InvalidImage',
  'FunctionError.TooManyExtensions': 'Extension.TooManyExtensions',
};

/** A start that failed because the image names something that is not there, or `undefined`. */
export function failureOfStart(error: unknown): FunctionFailure | undefined {
  if (!isSluiceError(error, 'SANDBOX_START_FAILED')) return undefined;
  const errorType = invalidReasons[String(error.data['reasonCode'])];
  if (errorType === undefined) return undefined;
  return { kind: 'invalid', errorType, message: error.message };
}
