import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { type Clock, limits, MIB, SluiceError, withDeadline } from '../base/mod.ts';
import type { DataDirectory, KeySettings } from '../config/mod.ts';
import { type Helper, type HelperSpawner, networkMounts } from '../isolation/mod.ts';
import type { SecretName } from '../origin/mod.ts';
import type { DataKeyContext, SaltParts, WrappedDataKey } from '../seal/mod.ts';
import type { KeyCustody, NewDataKey, Recipient } from './key-custody.ts';
import type { KeyAnswer, KeyAnswers, KeyOrder, KeyQuestion } from './key-messages.ts';
import { keyEnvironment } from './key-services.ts';

const KEY_MAIN = fileURLToPath(new URL('./key-main.ts', import.meta.url));

/** What a key process runs. */
export const KEY_PROGRAM = {
  main: KEY_MAIN,
  flags: ['--disable-warning=ExperimentalWarning'],
} as const;

export interface KeyProcessOptions {
  readonly jails: HelperSpawner;
  readonly data: DataDirectory;
  readonly settings: KeySettings;
  readonly clock: Clock;
}

interface Waiting {
  readonly resolve: (answer: KeyAnswers[keyof KeyAnswers]) => void;
  readonly reject: (error: unknown) => void;
}

interface Running {
  readonly child: ChildProcess;
  readonly waiting: Map<number, Waiting>;
  readonly gone: Promise<void>;
}

/**
 * Custody in a process of its own, in a jail that alone holds the folder of keys, with no network
 * unless AWS KMS keeps them (docs/decisions/0032). What passes here is wrapped or sealed. One that
 * died is started again by the next question; what it was asked rejects with `KEY_SERVICE_UNAVAILABLE`.
 */
export class KeyProcess implements KeyCustody {
  readonly #options: KeyProcessOptions;
  #running: Promise<Running> | undefined;
  #nextId = 1;

  constructor(options: KeyProcessOptions) {
    this.#options = options;
  }

  generateDataKey(context: DataKeyContext, recipient: Recipient): Promise<NewDataKey> {
    return this.#ask({ type: 'generate', context: boundTo(context), recipient }).then(
      ({ keyId, wrapped, sealed }) => ({
        keyId,
        wrapped: Buffer.from(wrapped),
        sealed: Buffer.from(sealed),
      }),
    );
  }

  async unwrapDataKey(
    key: WrappedDataKey,
    context: DataKeyContext,
    recipient: Recipient,
  ): Promise<Buffer> {
    const question = { type: 'unwrap', key, context: boundTo(context), recipient } as const;
    return Buffer.from(await this.#ask(question));
  }

  async chunkSalt(parts: SaltParts): Promise<Buffer> {
    return Buffer.from(await this.#ask({ type: 'salt', parts }));
  }

  verifySecrets(
    names: readonly SecretName[],
    known: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    return this.#ask({ type: 'verify', names, known });
  }

  /** Ends the process. */
  async close(): Promise<void> {
    const running = await this.#running?.catch(() => undefined);
    running?.child.kill('SIGKILL');
    await running?.gone;
  }

  async #ask<Q extends KeyQuestion>(question: Q): Promise<KeyAnswers[Q['type']]> {
    this.#running ??= this.#start();
    const running = await this.#running;
    const id = this.#nextId++;
    try {
      const what = `keys: ${question.type}`;
      const answer = await withDeadline(this.#options.clock, limits.keys.answerMs, what, () =>
        ask(running, { ...question, id }),
      );
      return answer as KeyAnswers[Q['type']];
    } finally {
      running.waiting.delete(id);
    }
  }

  #start(): Promise<Running> {
    const { jails, data, settings } = this.#options;
    const forget = () => {
      if (this.#running === starting) this.#running = undefined;
    };
    const starting = jails.spawn(keyHelper(data, settings)).then((child) => {
      const running = listen(child, forget);
      const order: KeyOrder = { type: 'start', settings, dataPath: data.path };
      child.send(order, () => {});
      return running;
    });
    starting.catch(forget);
    return starting;
  }
}

/** Without what else a caller's object may hold. */
function boundTo({ accountId, manifestId }: DataKeyContext): DataKeyContext {
  return { accountId, manifestId };
}

function keyHelper(data: DataDirectory, settings: KeySettings): Helper {
  const isFar = settings.kind === 'kms';
  return {
    name: 'keys',
    ...KEY_PROGRAM,
    environment: keyEnvironment(settings),
    mounts: [{ path: data.keys, access: 'write' }, ...(isFar ? networkMounts() : [])],
    network: isFar ? 'host' : 'none',
    niceness: 0,
    stderr: 'inherit',
    memoryBytes: limits.helpers.keyMemoryBytes,
    processes: limits.helpers.processes,
    openFiles: limits.helpers.openFiles,
    fileBytes: MIB,
  };
}

function listen(child: ChildProcess, onEnd: () => void): Running {
  const waiting = new Map<number, Waiting>();
  child.on('message', (message) => {
    const said = message as KeyAnswer;
    const asked = waiting.get(said.id);
    if (!asked) return;
    if ('refusal' in said) asked.reject(SluiceError.of(said.refusal));
    else asked.resolve(said.answer);
  });
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      onEnd();
      for (const { reject } of waiting.values()) reject(ended());
      resolve();
    };
    if (child.exitCode !== null || child.signalCode !== null) end();
    child.once('exit', end);
    child.once('error', end);
  });
  return { child, waiting, gone };
}

function ask(
  { child, waiting }: Running,
  order: KeyQuestion & { readonly id: number },
): Promise<KeyAnswers[keyof KeyAnswers]> {
  return new Promise((resolve, reject) => {
    waiting.set(order.id, { resolve, reject });
    child.send(order, (error) => {
      if (error) reject(ended());
    });
  });
}

function ended(): SluiceError {
  return new SluiceError('KEY_SERVICE_UNAVAILABLE', 'keys: the key process ended; try again');
}
