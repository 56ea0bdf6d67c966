import { SluiceError } from '../base/mod.ts';

/** The refusal of what a kind of isolation cannot do; `data` names both. */
export function isolationLacks(
  isolation: string,
  operation: 'capture' | 'restore' | 'fork' | 'start on the remains of',
  sandboxId: string,
): SluiceError {
  const message = `${sandboxId}: isolation ${isolation} cannot ${operation} sandboxes`;
  return new SluiceError('ISOLATION_LACKS', message, { data: { isolation, operation, sandboxId } });
}
