import type { FunctionKey } from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';
import { unsupportedMembers } from './configuration.ts';
import type { ConfigurationInput } from './function-inputs.ts';
import type { Services } from './services.ts';

/**
 * What nothing here acts on is refused in words, or, where the operator wants templates to move
 * unchanged (`unsupported.members warn`), kept and answered with a warning in the region's log.
 */
export function judgeUnsupported(
  { unsupported, logger, mayMount }: Services,
  { accountId, name }: FunctionKey,
  input: ConfigurationInput,
): void {
  for (const member of unsupportedMembers(input, (arn) => mayMount(accountId, arn))) {
    if (unsupported === 'refuse') {
      throw invalidParameter(`${member} is not supported: nothing here acts on it.`);
    }
    logger.warn({ account: accountId, function: name, member }, 'kept, and nothing acts on it');
  }
}
