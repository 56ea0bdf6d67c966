import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 180_000;
const POLL_MS = 20;

/**
 * Waits until the condition holds, with minutes of patience: a busy machine is late, not wrong.
 * `what` says what was waited for, as text or by a function that is called when it did not come.
 */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) {
      assert.fail(`not within minutes: ${typeof what === 'string' ? what : what()}`);
    }
    await sleep(POLL_MS);
  }
}
