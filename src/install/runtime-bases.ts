import { existsSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Random, SingleFlight } from '../base/mod.ts';
import type { SdkSettings } from '../config/mod.ts';
import { type HostLanguage, hostLanguage, writeHostBase } from './host-base.ts';

/** Raised when bases are put together in another way, so that kept ones are made again. */
const FORMAT = 2;

/** The image that zip functions of a runtime stand on. */
export interface RuntimeBase {
  /** In the form of `Code.ImageUri`. */
  readonly imageUri: string;
  /** Whether it was gathered from this host, and so has its languages in /var/lang. */
  readonly isHosts: boolean;
  /** What a gathered one runs, where that is known to be another version than the runtime names. */
  readonly warning?: string;
  /** Which making of it this is, of one that was gathered. */
  readonly making?: string;
}

export interface RuntimeBasesOptions {
  /** Where gathered bases are kept; may be lost. */
  readonly directory: string;
  /** Images that an operator chose, by runtime. */
  readonly configured: Readonly<Record<string, string>>;
  /** AWS's SDK in those that are gathered; none if absent. */
  readonly sdk?: SdkSettings;
  readonly random: Random;
}

/** The bases of zip functions: an image that an operator named, else what this host has, kept. */
export class RuntimeBases {
  readonly #options: RuntimeBasesOptions;
  readonly #gathering = new SingleFlight<string, void>();

  constructor(options: RuntimeBasesOptions) {
    this.#options = options;
  }

  /** Rejects with `HOST_LACKS` where the host has no such language. */
  async baseOf(runtime: string): Promise<RuntimeBase> {
    const imageUri = this.#options.configured[runtime];
    if (imageUri !== undefined) return { imageUri, isHosts: false };
    const language = await hostLanguage(runtime, this.#options.sdk);
    const { language: kind, version, sdk } = language;
    const name = [kind, version, process.arch, FORMAT, sdk?.name ?? 'bare'].join('-');
    const path = join(this.#options.directory, name);
    await this.#gathering.run(path, () => this.#gather(path, language));
    const warning = versionWarning(runtime, language);
    return {
      imageUri: `oci:${path}:latest`,
      isHosts: true,
      making: await makingOf(path),
      ...(warning !== undefined && { warning }),
    };
  }

  /** Gives up a gathered base that was found damaged, unless somebody has already. */
  async giveUp(base: RuntimeBase): Promise<void> {
    const path = base.imageUri.replace(/^oci:/, '').replace(/:latest$/, '');
    if (!base.isHosts || (await makingOf(path)) !== base.making) return;
    const aside = `${path}.${this.#options.random.uuid()}`;
    await rename(path, aside);
    await rm(aside, { recursive: true, force: true });
  }

  /** Under its name only once it is whole. */
  async #gather(path: string, language: HostLanguage): Promise<void> {
    if (existsSync(path)) return;
    const temporary = `${path}.${this.#options.random.uuid()}`;
    try {
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      await writeHostBase(temporary, language);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

async function makingOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found ? `${found.ino} ${found.birthtimeMs}` : '';
}

/** In words, where a host's language is not of the version that the runtime names. */
export function versionWarning(
  runtime: string,
  { language, version }: Pick<HostLanguage, 'language' | 'version'>,
): string | undefined {
  const [named, title] =
    language === 'node'
      ? [/^nodejs(\d+)\.x$/.exec(runtime)?.[1], 'Node.js']
      : [/^python(\d+\.\d+)$/.exec(runtime)?.[1], 'Python'];
  const own = version.replace(/^v/, '');
  if (named === undefined || own === named || own.startsWith(`${named}.`)) return undefined;
  return `${runtime}: this region runs it on ${title} ${own}`;
}
