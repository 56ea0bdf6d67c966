import fc from 'fast-check';

/**
 * Lets an asynchronous property begin no run after `budgetMs`; the run under way ends by itself.
 * fast-check's own limit races the run instead and leaves it going, with its files, sockets and
 * processes, while the test and its clean-up go on.
 */
export function timeBudget<Values>(budgetMs: number): fc.Plugin<Values> {
  return () => {
    const endsAt = performance.now() + budgetMs;
    return {
      decorateRun: (run) => (value) =>
        performance.now() < endsAt ? run(value) : Promise.resolve(new fc.PreconditionFailure(true)),
    };
  };
}
