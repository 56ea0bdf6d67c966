/** Waits for a signal to end; rejects with the reason of `died` when that comes first. */
export async function untilSignalledOrDead(
  signalled: Promise<NodeJS.Signals>,
  died: AbortSignal,
): Promise<void> {
  const dead = Promise.withResolvers<never>();
  died.addEventListener('abort', () => dead.reject(died.reason), { once: true });
  if (died.aborted) dead.reject(died.reason);
  await Promise.race([signalled, dead.promise]);
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process as usual. */
export function untilSignalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}
