import fc from 'fast-check';

/** Runs of the tests by the thousand, for mutants, take a part of each budget. */
const SHARE = Number(process.env['SLUICE_PROPERTY_SHARE'] ?? 1);

/**
 * Lets an asynchronous property begin no run after `budgetMs`, but on a busy machine `runsMin` in any
 * case; the run under way ends by itself.
 * fast-check's own limit races the run instead and leaves it going, with its files, sockets and
 * processes, while the test and its clean-up go on.
 */
export function timeBudget<Values>(budgetMs: number, runsMin = 1): fc.Plugin<Values> {
  return () => {
    const endsAt = performance.now() + budgetMs * SHARE;
    let runs = 0;
    return {
      decorateRun: (run) => (value) =>
        runs++ < runsMin || performance.now() < endsAt
          ? run(value)
          : Promise.resolve(new fc.PreconditionFailure(true)),
    };
  };
}
