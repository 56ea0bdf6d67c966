import { invalidParameter } from './api-error.ts';
import { unsupportedMembers } from './configuration.ts';
import type { ConfigurationInput } from './function-inputs.ts';
import type { Services } from './services.ts';

/**
 * What nothing here acts on is refused in words, or, where the operator wants templates to move
 * unchanged (`unsupported.members warn`), kept and answered with a warning in the region's log.
 */
export function judgeUnsupported(
  { unsupported, logger }: Services,
  functionName: string,
  input: ConfigurationInput,
): void {
  for (const member of unsupportedMembers(input)) {
    if (unsupported === 'refuse') {
      throw invalidParameter(`${member} is not supported: nothing here acts on it.`);
    }
    logger.warn({ function: functionName, member }, 'kept, and nothing acts on it');
  }
}
