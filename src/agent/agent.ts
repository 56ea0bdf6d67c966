import { MessageChannel, Worker } from 'node:worker_threads';
import {
  limits,
  type Meter,
  MIB,
  PAGE_SIZE_BYTES,
  SluiceError,
  systemClock,
  systemRandom,
  toSluiceError,
} from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import {
  type AgentAnswer,
  type AgentCommand,
  ChunkFiller,
  type LoopCommand,
  type LoopReport,
  type NearTiers,
  rehearseFilling,
  type TierWatch,
} from '../device/mod.ts';
import { ringDoorbell } from '../fuse/mod.ts';
import { type ChunkSource, type KeyReceiver, packIdOf, readManifestHeader } from '../seal/mod.ts';
import type { AgentLoopData } from './agent-loop.ts';
import type { AgentSettings } from './agent-settings.ts';
import type { OpenManifests } from './open-manifests.ts';
import { PackDesk } from './pack-desk.ts';
import { ScopedTiers } from './scoped-tiers.ts';
import type { Tiers } from './tiers.ts';

type Command = AgentCommand<AgentSettings>;

export interface AgentOptions {
  readonly fuseFd: number;
  readonly root: AgentLoopData['root'];
  readonly overlayDirectory: string;
  readonly memoryBytes: number;
  /** The tiers below memory. */
  readonly source: ChunkSource;
  readonly near: NearTiers;
  readonly rehearseTiers: Tiers['rehearse'];
  readonly tiers: TierWatch;
  readonly opened: OpenManifests;
  /** What data keys are sealed for. */
  readonly receiver: KeyReceiver;
  readonly meter: Meter;
  /** Nobody waits for this agent yet: warm up. */
  readonly rehearse: boolean;
  /** Tells the worker. */
  readonly answer: (message: AgentAnswer) => void;
  /** Ends the process, since a part of it is gone. */
  readonly end: () => void;
}

/** The agent's first thread: talks to the worker, fetches chunks; never touches a device's pages. */
export class Agent {
  readonly #loop: Worker;
  readonly #port: MessageChannel['port1'];
  readonly #memory: Uint8Array;
  readonly #fuseFd: number;
  readonly #root: AgentLoopData['root'];
  readonly #scope: ScopedTiers;
  readonly #filler: ChunkFiller;
  /** Devices that the loop is opening, by the request's id. */
  readonly #opening = new Map<number, string>();
  readonly #opened: OpenManifests;
  readonly #receiver: KeyReceiver;
  readonly #rehearseTiers: Tiers['rehearse'];
  readonly #used = new AbortController();
  #accountId: string | undefined;
  readonly #packs: PackDesk;
  readonly #answer: (message: AgentAnswer) => void;
  readonly #end: () => void;

  constructor(options: AgentOptions) {
    const { fuseFd, root, overlayDirectory, memoryBytes, source, near, tiers, rehearse } = options;
    this.#opened = options.opened;
    this.#receiver = options.receiver;
    this.#rehearseTiers = options.rehearseTiers;
    this.#answer = options.answer;
    this.#end = options.end;
    this.#scope = new ScopedTiers(source, near);
    const command = (each: LoopCommand) => this.#command(each);
    this.#packs = new PackDesk({ command, clock: systemClock, random: systemRandom });
    const memory = ChunkSlots.allocate(memoryBytes);
    this.#memory = new Uint8Array(memory);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#fuseFd = fuseFd;
    this.#root = root;
    this.#filler = new ChunkFiller({
      memoryBytes: Buffer.from(memory),
      source: this.#scope.source,
      near: this.#scope.near,
      meter: options.meter,
      tierOf: (name) => tiers.take(name),
      clock: systemClock,
      command,
    });
    const data: AgentLoopData = {
      fuseFd,
      root,
      memory,
      overlayDirectory,
      commands: port2,
      rehearse,
    };
    this.#loop = new Worker(new URL('./agent-loop.ts', import.meta.url), {
      workerData: data,
      transferList: [port2],
    });
    this.#loop.on('message', (report: LoopReport) => this.#report(report));
    this.#loop.on('error', (error) => {
      console.error(error);
      this.#end();
    });
    this.#loop.on('exit', () => this.#end());
  }

  /** Does ahead what a first start would wait for, until a device opens. */
  async rehearse(): Promise<void> {
    const ended = this.#used.signal;
    await this.#warm(limits.agent.warmMemoryBytes);
    await rehearseFilling({ clock: systemClock, random: systemRandom }, ended);
    // An origin that cannot be had is told to whoever needs it.
    await this.#rehearseTiers(ended).catch(() => {});
  }

  /**
   * Makes the kernel back the first slots with memory while nobody waits: taken at a first read, its
   * page faults would cost as much as the chunk's hash. Adding zero changes no byte.
   */
  async #warm(bytes: number): Promise<void> {
    const end = Math.min(bytes, this.#memory.length);
    for (let at = 0; at < end && !this.#used.signal.aborted; at += PAGE_SIZE_BYTES) {
      Atomics.add(this.#memory, at, 0);
      if (at % MIB === 0) await systemClock.sleep(0);
    }
  }

  obey(command: Exclude<Command, { type: 'start' }>): void {
    if (command.type === 'pack') {
      this.#pack(command).catch(this.#end);
      return;
    }
    if (command.type === 'open') {
      this.#open(command);
      return;
    }
    if (command.type === 'close') this.#dismiss(command.deviceId);
    this.#command(command);
  }

  #open(command: Extract<Command, { type: 'open' }>): void {
    this.#used.abort();
    const { sealedKey, ...device } = command.device;
    const { deviceId, manifestBytes, rootId, pack } = device;
    if (this.#opened.has(deviceId)) {
      throw new SluiceError('USAGE', `${deviceId}: there is a device of this id`);
    }
    const header = readManifestHeader(Buffer.from(manifestBytes));
    this.#serve(header.accountId);
    const dataKey = this.#receiver.open(sealedKey, header);
    this.#opening.set(command.id, deviceId);
    this.#scope.admit(header);
    if (pack) {
      const { names } = readManifestHeader(Buffer.from(pack));
      this.#scope.admit({ manifestId: packIdOf(deviceId), names });
    }
    this.#packs.opened(deviceId, header, rootId, dataKey);
    this.#opened.add(deviceId, { rootId, manifestId: header.manifestId });
    this.#command({ type: 'open', id: command.id, device: { ...device, dataKey } });
    dataKey.fill(0);
  }

  /** Of one account only: its first device decides which. */
  #serve(accountId: string): void {
    this.#accountId ??= accountId;
    if (this.#accountId === accountId) return;
    throw new SluiceError('ACCESS_DENIED', `${accountId}: this agent serves another account`);
  }

  #command(command: LoopCommand): void {
    this.#port.postMessage(command);
    ringDoorbell(this.#fuseFd, this.#root);
  }

  #report(report: LoopReport): void {
    if (report.type === 'fetch') {
      this.#filler.fill(report);
      return;
    }
    if (this.#packs.heard(report)) return;
    const opened = this.#opening.get(report.id);
    this.#opening.delete(report.id);
    if (opened && report.type === 'refusal') this.#dismiss(opened);
    this.#answer(report);
  }

  async #pack({ id, deviceId, runs }: Extract<Command, { type: 'pack' }>): Promise<void> {
    try {
      this.#answer({ type: 'answer', id, pack: await this.#packs.pack(deviceId, runs) });
    } catch (error) {
      this.#answer({ type: 'refusal', id, failure: toSluiceError(error).toJSON() });
    }
  }

  #dismiss(deviceId: string): void {
    const manifestId = this.#opened.remove(deviceId);
    this.#packs.closed(deviceId);
    // Of the device, not of the disk: a later device may have a later pack.
    this.#scope.dismiss(packIdOf(deviceId));
    if (manifestId !== undefined) this.#scope.dismiss(manifestId);
  }
}
