import {
  type Clock,
  isSluiceError,
  type Logger,
  limits,
  type Random,
  SharedSemaphore,
  SluiceError,
} from '../base/mod.ts';
import { functionArn } from '../catalogue/mod.ts';
import { defaultAccountId } from '../config/mod.ts';
import type { OnDamaged } from '../database/mod.ts';
import type { Invoker } from '../dispatch/mod.ts';
import type { CodeInstaller, InstallRequest, ZipSupport } from '../install/mod.ts';
import {
  type FunctionKey,
  type FunctionRecord,
  type FunctionStore,
  type ImageOverrides,
  type InstalledCode,
  installFailed,
  installSucceeded,
  type StateReason,
  settlePublished,
} from '../records/mod.ts';
import { reasonOf } from './install-reason.ts';
import { warningsOf } from './rendering.ts';

export interface InstallsOptions {
  readonly store: FunctionStore;
  readonly installer: CodeInstaller;
  readonly invoker: Invoker;
  readonly zip: ZipSupport | undefined;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onDamaged: OnDamaged;
  /** Called when an update's code has taken the place of the code before. */
  readonly onSettled: (accountId: string) => void;
}

/** Throws `IMAGE_MALFORMED` when neither the image nor the function says what to run. */
function checkRunnable(code: InstalledCode, overrides: ImageOverrides | undefined): void {
  const { entrypoint, command } = code.imageConfig;
  const words = [...(overrides?.entryPoint ?? entrypoint), ...(overrides?.command ?? command)];
  if (words[0]) return;
  throw new SluiceError(
    'IMAGE_MALFORMED',
    `${code.resolvedImageUri}: it has no ENTRYPOINT and no CMD; ` +
      'set one in the image, or ImageConfig.EntryPoint',
  );
}

type Outcome = { readonly code: InstalledCode } | { readonly reason: StateReason };

/**
 * Runs the installs that creates and updates leave behind, a few at a time. The store says what is
 * to do: an install that a crash or a shutdown cut off is found there and run again.
 */
export class Installs {
  readonly #options: InstallsOptions;
  readonly #slots = new SharedSemaphore({
    permits: limits.functions.installsAtOnce,
    permitsPerKey: limits.shares.installsPerAccount,
    maxWaiting: limits.functions.installsWaiting,
    maxWaitingPerKey: limits.functions.installsWaiting / 2,
  });
  readonly #running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  #closed = false;

  constructor(options: InstallsOptions) {
    this.#options = options;
  }

  /** Takes up what was under way when the process ended. */
  async resume(): Promise<number> {
    const unfinished = await this.#options.store.unfinished(this.#options.onDamaged);
    for (const record of unfinished) this.start(record);
    return unfinished.length;
  }

  /** Starts the record's work in the background. */
  start(record: FunctionRecord): void {
    const { work } = record.latest;
    if (!work || this.#closed || this.#running.has(work.id)) return;
    const controller = new AbortController();
    const done = this.#run(record, work.id, controller.signal)
      .catch((error) => {
        const fields = { account: record.accountId, function: record.name, error };
        this.#options.logger.error(fields, 'the outcome of an install could not be recorded');
      })
      .finally(() => this.#running.delete(work.id));
    this.#running.set(work.id, { controller, done });
  }

  /** Ends the install of a function that is being deleted. */
  cancel(record: FunctionRecord): void {
    const { work } = record.latest;
    if (work) this.#running.get(work.id)?.controller.abort();
  }

  /** Ends all installs and waits for them; they stay recorded as unfinished. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running.values()];
    for (const each of running) each.controller.abort();
    await Promise.all(running.map((each) => each.done));
  }

  async #run(record: FunctionRecord, workId: string, signal: AbortSignal): Promise<void> {
    const outcome = await this.#install(record, signal);
    if (signal.aborted) return;
    const isUpdate = record.latest.work?.kind === 'update';
    if (!(await this.#settle(record, workId, outcome))) return;
    if (isUpdate && 'code' in outcome) {
      this.#options.onSettled(record.accountId);
      await this.#options.invoker.drain(functionArn(this.#options.region, record, '$LATEST'));
    }
  }

  async #install(record: FunctionRecord, signal: AbortSignal): Promise<Outcome> {
    const { source, code, configuration } = record.latest;
    // A change of configuration alone needs no install.
    if (code) return { code };
    const common = {
      accountId: record.accountId,
      functionName: record.name,
      architecture: configuration.architecture,
    };
    try {
      const work = () =>
        source.kind === 'image'
          ? this.#options.installer.install({ ...common, imageUri: source.imageUri }, signal)
          : this.#installZip(common, record, source.sha256, signal);
      const installed = await this.#slots.run(record.accountId, work, signal);
      checkRunnable(installed, configuration.imageOverrides);
      for (const warning of warningsOf(installed)) {
        const fields = { account: record.accountId, function: record.name, warning };
        this.#options.logger.warn(fields, 'code was installed with a warning');
      }
      return { code: installed };
    } catch (error) {
      const fields = { account: record.accountId, function: record.name, error };
      if (!signal.aborted) this.#options.logger.warn(fields, 'an install failed');
      const own = record.accountId === defaultAccountId ? 'operator' : source.kind;
      return { reason: reasonOf(error, own) };
    }
  }

  async #installZip(
    common: Pick<InstallRequest, 'accountId' | 'functionName' | 'architecture'>,
    { accountId, latest }: FunctionRecord,
    sha256: string,
    signal: AbortSignal,
  ): Promise<InstalledCode> {
    const { zip } = this.#options;
    if (!zip) throw new SluiceError('HOST_LACKS', `${common.functionName}: no zip support here`);
    const { layers, runtime = '' } = latest.configuration;
    const archive = await zip.archive.get(accountId, sha256);
    const layerArchives = layers.map((each) => zip.archive.get(accountId, each.sha256));
    const request = { ...common, runtime, archive, layers: await Promise.all(layerArchives) };
    return zip.installer.installZip(request, signal);
  }

  /** False when the function was deleted or replaced meanwhile. */
  async #settle(key: FunctionKey, workId: string, outcome: Outcome): Promise<boolean> {
    const { store, clock, random } = this.#options;
    const stamp = { nowMs: clock.nowMs(), newId: () => random.uuid() };
    const current = await store.read(key);
    if (current?.latest.work?.id !== workId) return false;
    const { publishAs } = current.latest.work;
    const version = publishAs && (await store.readVersion(key, publishAs));
    try {
      await store.change(key, (record) => {
        const settled =
          'code' in outcome
            ? installSucceeded(record, workId, outcome.code, stamp)
            : installFailed(record, workId, outcome.reason, stamp);
        if (!settled) return { function: record };
        if (!version) return { function: settled };
        return {
          function: settled,
          putVersions: [settlePublished(version, settled.latest, stamp)],
        };
      });
      return true;
    } catch (error) {
      if (isSluiceError(error, 'FUNCTION_NOT_FOUND')) return false;
      throw error;
    }
  }
}
