import type { ProvisionedStatus, VersionRef } from '../assignment/mod.ts';
import type { ProvisionedState, Provisioner } from '../catalogue/mod.ts';
import type { FunctionVersion } from '../records/mod.ts';
import type { InvokeOutcome } from '../worker/mod.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { InvokeCall, Invoker } from './invoker.ts';
import type { InvokesUnderWay } from './invokes-under-way.ts';
import type { VersionBook } from './version-book.ts';

/** What a leader does for versions rather than for events. */
export interface VersionKeeper {
  drainVersion(versionArn: string): Promise<void>;
  provision(version: VersionRef, count: number): Promise<void>;
  provisioned(version: VersionRef): Promise<ProvisionedStatus>;
}

/** All that a frontend asks of what runs functions. */
export class RegionInvoker implements Invoker, Provisioner {
  readonly #dispatcher: Dispatcher;
  readonly #keeper: VersionKeeper;
  readonly #versions: VersionBook;
  readonly #underWay: InvokesUnderWay;

  constructor(
    dispatcher: Dispatcher,
    keeper: VersionKeeper,
    versions: VersionBook,
    underWay: InvokesUnderWay,
  ) {
    this.#dispatcher = dispatcher;
    this.#keeper = keeper;
    this.#versions = versions;
    this.#underWay = underWay;
  }

  invoke(call: InvokeCall): Promise<InvokeOutcome> {
    const { timeoutSeconds } = call.version.configuration;
    return this.#underWay.run(timeoutSeconds * 1000, () => this.#dispatcher.invoke(call));
  }

  /** How long the invokes under way may take yet. */
  longestMs(): number {
    return this.#underWay.longestMs();
  }

  drain(functionVersionArn: string): Promise<void> {
    return this.#keeper.drainVersion(functionVersionArn);
  }

  provision(version: FunctionVersion, count: number): Promise<void> {
    return this.#keeper.provision(this.#versions.refOf(version), count);
  }

  provisioned(version: FunctionVersion): Promise<ProvisionedState> {
    return this.#keeper.provisioned(this.#versions.refOf(version));
  }
}
