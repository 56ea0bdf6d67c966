import type { ChildProcess } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, limits, SluiceError, withDeadline } from '../base/mod.ts';
import { DOORBELL_NAME } from '../fuse/mod.ts';
import type { AgentAnswer, AgentCommand } from './agent-messages.ts';
import { type OpenDeviceRequest, toSealedRequest } from './open-device.ts';

/** `O_PATH` of include/uapi/asm-generic/fcntl.h: holds a file without opening it. */
const O_PATH = 0o10000000;

type Answered = Extract<AgentAnswer, { type: 'answer' }>;
/** `Omit` on each member of a union. */
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

interface Waiting {
  readonly resolve: (answer: Answered) => void;
  readonly reject: (error: SluiceError) => void;
}

export interface AgentStart<Settings> {
  /** An empty directory of the agent's own. */
  readonly directory: string;
  readonly settings: Settings;
  /** Mount on this file instead of a directory of devices. */
  readonly file?: string;
  /** Take the time to warm up, since no device waits. */
  readonly rehearse?: boolean;
}

/** One that another process than this started holds the doorbell of its mount by that process. */
type AgentChild = ChildProcess & { hold?(): Promise<void> };

/** The worker's end of one agent process. */
export class AgentProcess<Settings> {
  readonly #child: AgentChild;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #died = new AbortController();
  readonly #gone: Promise<void>;
  #nextId = 1;
  #mountPoint = '';
  #publicKey: Uint8Array = new Uint8Array();
  #doorbell: FileHandle | undefined;

  constructor(child: AgentChild, clock: Clock) {
    this.#child = child;
    this.#clock = clock;
    child.on('message', (answer) => this.#receive(answer as AgentAnswer));
    this.#gone = new Promise((resolve) => {
      const onEnd = (how: string, cause?: unknown) => {
        this.#end(how, cause);
        resolve();
      };
      child.once('exit', (status, signal) => onEnd(`${signal ?? `status ${status}`}`));
      child.once('error', (error) => onEnd('it could not be started', error));
    });
  }

  /** Aborted, with `AGENT_DIED` as its reason, when the process is gone. */
  get died(): AbortSignal {
    return this.#died.signal;
  }

  /** Has it mount. Rejects with `HOST_LACKS`. */
  async start({
    directory,
    settings,
    file,
    rehearse = false,
  }: AgentStart<Settings>): Promise<void> {
    const timeoutMs = limits.agent.startTimeoutMs;
    const command = {
      type: 'start',
      directory,
      settings,
      rehearse,
      ...(file && { file }),
    } as const;
    const { mountPoint, publicKey } = await this.request(command, timeoutMs);
    this.#mountPoint = mountPoint ?? '';
    this.#publicKey = publicKey ?? new Uint8Array();
    if (file) return;
    // The agent must not hold its own mount's file: killed amid a lookup it would wait for itself.
    if (this.#child.hold) return this.#child.hold();
    this.#doorbell = await open(this.pathOf(DOORBELL_NAME), O_PATH);
    if (this.#died.signal.aborted) await this.#doorbell.close();
  }

  /** Where other processes of the host find a device's file, for as long as the agent lives. */
  pathOf(deviceId: string): string {
    return `/proc/${this.#child.pid}/root${this.#mountPoint}/${deviceId}`;
  }

  /** Shows a device. Rejects as `request` does, with `USAGE`, and with the key service's errors. */
  async open(request: OpenDeviceRequest): Promise<void> {
    const device = await toSealedRequest(request, this.#publicKey);
    await this.request({ type: 'open', device });
  }

  /** Rejects with the agent's own error, `AGENT_DIED` or `DEADLINE_EXCEEDED`. */
  async request(
    command: WithoutId<AgentCommand<Settings>>,
    timeoutMs: number = limits.agent.requestTimeoutMs,
  ): Promise<Answered> {
    this.#died.signal.throwIfAborted();
    const id = this.#nextId++;
    const what = `agent ${this.#child.pid}: ${command.type}`;
    try {
      return await withDeadline(this.#clock, timeoutMs, what, () => this.#send(id, command));
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Ends the process; resolves when it is gone, and its mount with it. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  #send(id: number, command: WithoutId<AgentCommand<Settings>>): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ ...command, id }, (error) => {
        if (error) reject(this.#deathError('its channel is closed', error));
      });
    });
  }

  #receive(answer: AgentAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    if (answer.type === 'answer') waiting.resolve(answer);
    else waiting.reject(SluiceError.of(answer.failure));
  }

  #deathError(how: string, cause: unknown): SluiceError {
    return new SluiceError('AGENT_DIED', `agent ${this.#child.pid}: gone (${how})`, { cause });
  }

  #end(how: string, cause: unknown): void {
    const error = this.#deathError(how, cause);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#doorbell?.close().catch(() => {});
    this.#died.abort(error);
  }
}
