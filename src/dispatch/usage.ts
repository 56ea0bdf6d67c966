import { limits } from '../base/mod.ts';

/** What one function has used, since it was first invoked. */
export interface FunctionUsage {
  readonly accountId: string;
  readonly functionArn: string;
  readonly invocations: number;
  readonly functionErrors: number;
  readonly throttles: number;
  readonly coldStarts: number;
  /** Whole milliseconds, each invoke rounded up. */
  readonly billedMs: number;
  /** Billed milliseconds times the function's memory in GB, as it was at each invoke. */
  readonly gbMs: number;
}

export interface UsedInvoke {
  readonly accountId: string;
  readonly functionArn: string;
  readonly memoryMb: number;
  readonly durationMs: number;
  readonly coldStart: boolean;
  readonly failed: boolean;
}

type Counts = { -readonly [K in keyof FunctionUsage]: FunctionUsage[K] };

/**
 * Counts what functions use. Of a bounded number of functions each by itself; those beyond are
 * counted together, an entry for each account whose function ARN is `*`.
 */
export class UsageLedger {
  readonly #functionsMax: number;
  readonly #counts = new Map<string, Counts>();
  #changes = 0;
  #onChange: () => void = () => {};

  constructor(
    earlier: readonly FunctionUsage[] = [],
    functionsMax: number = limits.usage.functions,
  ) {
    this.#functionsMax = functionsMax;
    for (const usage of earlier) this.#counts.set(keyOf(usage), { ...usage });
  }

  /** Grows with every change; for who saves the ledger. */
  get changes(): number {
    return this.#changes;
  }

  /** Calls `callback` at every change from now on, in place of the one before; it must be cheap. */
  onChange(callback: () => void): void {
    this.#onChange = callback;
  }

  invoked(invoke: UsedInvoke): void {
    const counts = this.#of(invoke.accountId, invoke.functionArn);
    const billedMs = Math.ceil(invoke.durationMs);
    counts.invocations++;
    if (invoke.failed) counts.functionErrors++;
    if (invoke.coldStart) counts.coldStarts++;
    counts.billedMs += billedMs;
    counts.gbMs += (billedMs * invoke.memoryMb) / 1024;
  }

  throttled(accountId: string, functionArn: string): void {
    this.#of(accountId, functionArn).throttles++;
  }

  /** Of one account, or of all; by ARN. */
  usage(accountId?: string): FunctionUsage[] {
    return [...this.#counts.values()]
      .filter((counts) => accountId === undefined || counts.accountId === accountId)
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .map((counts) => ({ ...counts }));
  }

  #of(accountId: string, functionArn: string): Counts {
    this.#changes++;
    this.#onChange();
    const known = this.#counts.get(keyOf({ accountId, functionArn }));
    if (known) return known;
    const full = this.#counts.size >= this.#functionsMax && functionArn !== '*';
    if (full) return this.#of(accountId, '*');
    const counts: Counts = {
      accountId,
      functionArn,
      invocations: 0,
      functionErrors: 0,
      throttles: 0,
      coldStarts: 0,
      billedMs: 0,
      gbMs: 0,
    };
    this.#counts.set(keyOf(counts), counts);
    return counts;
  }
}

function keyOf(of: { readonly accountId: string; readonly functionArn: string }): string {
  return `${of.accountId} ${of.functionArn}`;
}
