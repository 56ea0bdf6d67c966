import type { Socket } from 'node:net';
import { SluiceError } from '../../base/mod.ts';
import type { CgroupJoin } from '../cgroup/types.ts';
import { composeConnect } from './compose/network.ts';
import { hostArchitecture, type Launcher } from './launcher/launcher.ts';

/** Connections from outside to what listens inside a sandbox, which its monitor makes. */
export class InnerConnections {
  readonly #launcher: Launcher;
  readonly #join: CgroupJoin;
  readonly #sandboxId: string;
  readonly #waiting = new Map<number, (socket: Socket) => void>();
  #count = 0;

  constructor(launcher: Launcher, join: CgroupJoin, sandboxId: string) {
    this.#launcher = launcher;
    this.#join = join;
    this.#sandboxId = sandboxId;
  }

  /** Rejects with `CANCELLED` if the sandbox ends first. */
  connect(port: number): Promise<Socket> {
    const { launcherId } = this.#launcher;
    const connectionId = this.#count++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(connectionId, resolve);
      void this.#launcher.gone.then(() => {
        if (!this.#waiting.delete(connectionId)) return;
        const message = `${this.#sandboxId}: ended before it was connected to`;
        reject(new SluiceError('CANCELLED', message));
      });
      const handOver = { launcherId, connectionId };
      const architecture = hostArchitecture();
      this.#launcher.send(composeConnect({ architecture, join: this.#join, handOver, port }));
    });
  }

  /** One that was asked for arrived. */
  hand(connectionId: number, socket: Socket): void {
    const take = this.#waiting.get(connectionId);
    this.#waiting.delete(connectionId);
    if (take) take(socket);
    else socket.destroy();
  }
}
