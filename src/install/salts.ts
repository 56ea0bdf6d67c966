import type { Clock } from '../base/mod.ts';
import type { SaltSettings } from '../config/mod.ts';
import type { SaltParts } from '../seal/mod.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * What the salt of an account's new chunks follows from now. A rotation makes new chunks share
 * nothing with older ones: more storage, and a bad chunk hurts fewer functions (ATC'23 section 3.3).
 */
export function currentSaltParts(
  settings: SaltSettings,
  rootId: string,
  accountId: string,
  clock: Clock,
): SaltParts {
  const { scope, rotationDays, placement } = settings;
  const epoch = rotationDays === 0 ? 0 : Math.floor(clock.nowMs() / (rotationDays * DAY_MS));
  return {
    rootId,
    epoch,
    scope: scope === 'region' ? 'region' : { accountId },
    placement,
  };
}
