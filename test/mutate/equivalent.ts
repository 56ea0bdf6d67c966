/**
 * Mutants that change nothing which anybody could see, or nothing that is promised, each with the
 * reason. They are not tried and do not count. An entry means all mutants of its operator on lines
 * that begin so; one that means none is refused (`mutants.test.ts`).
 */
export interface Equivalent {
  /** Below `src`. */
  readonly path: string;
  /** The line, or its beginning, without the spaces before it. */
  readonly line: string;
  /** Or `any`. */
  readonly operator: string;
  readonly why: string;
}

const wipes: readonly Equivalent[] = [
  ['seal/sealed-key.ts', 'der.fill(0);'],
  ['seal/sealed-key.ts', 'aead.fill(0);'],
  ['seal/sealed-key.ts', 'secret.fill(0);'],
  ['seal/seal-manifest.ts', 'secret.fill(0);'],
  ['seal/aead.ts', 'plaintext.fill(0);'],
].flatMap(([path = '', line = '']) =>
  ['statement', 'constant'].map((operator) => ({
    ...{ path, line, operator },
    why: 'it wipes memory that nothing else refers to, so that no test can look at it',
  })),
);

export const equivalents: readonly Equivalent[] = [
  {
    path: 'device/miss-table.ts',
    line: 'if (TIERS.indexOf(tier) > TIERS.indexOf(parked.farthest))',
    operator: 'boundary',
    why: 'a tier in place of the same tier',
  },
  {
    path: 'device/agent-process.ts',
    line: 'this.#waiting.clear();',
    operator: 'statement',
    why: 'each request takes itself out when it has failed, and a dead agent answers none',
  },
  {
    path: 'device/rehearsal.ts',
    line: '',
    operator: 'any',
    why: 'a made-up disk is read and written so that the engine compiles: what, and how often, is a hint',
  },
  ...wipes,
  ...['constant', 'boundary'].map((operator) => ({
    path: 'seal/manifest-format.ts',
    line: "need(sealedEnd + 4 <= body.length, 'length');",
    operator,
    why: 'a wrapped key has at least a byte, so the last of the four is not the last of all',
  })),
  {
    path: 'assignment/leader.ts',
    line: 'this.#timer = this.#parts.clock.setTimer(Math.max(1,',
    operator: 'constant',
    why: 'the least that a timer is set for: what is due already is done in a moment, or in two',
  },
  {
    path: 'assignment/records.ts',
    line: 'limit: 0,',
    operator: 'constant',
    why: 'each acquire sets it before anything reads it',
  },
  ...['statement', 'logic'].map((operator) => ({
    path: 'assignment/records.ts',
    line: 'assert(',
    operator,
    why: 'assertions of what is forgotten last',
  })),
  {
    path: 'assignment/leases.ts',
    line: 'assert(',
    operator: 'statement',
    why: 'assertions of what the callers see to',
  },
  {
    path: 'queue/sqlite-events.ts',
    line: '#turn = 0;',
    operator: 'constant',
    why: 'the queues are claimed from in turn, and which one is the first is nobody’s to know',
  },
  {
    path: 'frontend/policies/identity-policy.ts',
    line: 'let mark = 0;',
    operator: 'constant',
    why: 'it is read only after a star was met, which sets it',
  },
  {
    path: 'assignment/service.ts',
    line: "signal.addEventListener('abort', onAbort, { once: true });",
    operator: 'constant',
    why: 'a signal aborts once, and a call that is over is not cancelled',
  },
  {
    path: 'assignment/service.ts',
    line: "assert(this.#leader.state.sandboxes.size === 0, 'no sandbox is left after close');",
    operator: 'statement',
    why: 'an assertion of what the line before it brings about',
  },
];

export function isEquivalent(mutant: {
  readonly path: string;
  readonly lineText: string;
  readonly operator: string;
}): boolean {
  return equivalents.some((each) => means(each, mutant));
}

export function means(
  { path, line, operator }: Equivalent,
  mutant: { readonly path: string; readonly lineText: string; readonly operator: string },
): boolean {
  const same =
    mutant.path === `src/${path}` && (operator === 'any' || mutant.operator === operator);
  return same && mutant.lineText.startsWith(line);
}
