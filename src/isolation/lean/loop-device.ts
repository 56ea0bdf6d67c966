import { readFile } from 'node:fs/promises';

/**
 * A loop device that a sandbox holds. The kernel frees it with the sandbox's last mount, a
 * moment after its last process; `diskseq` tells the next user of the same number from this one.
 */
export class LoopDevice {
  readonly #number: number;
  readonly #sequence: Promise<string | undefined>;

  constructor(number: number) {
    this.#number = number;
    this.#sequence = this.#read('diskseq');
  }

  async isFree(): Promise<boolean> {
    if ((await this.#read('loop/backing_file')) === undefined) return true;
    return (await this.#read('diskseq')) !== (await this.#sequence);
  }

  async #read(name: string): Promise<string | undefined> {
    return readFile(`/sys/block/loop${this.#number}/${name}`, 'utf8').catch(() => undefined);
  }
}
