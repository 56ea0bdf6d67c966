import { type VersionRef, versionRef } from '../assignment/mod.ts';
import { limits, SluiceError } from '../base/mod.ts';
import { servingVersion } from '../catalogue/mod.ts';
import type { FunctionStore, FunctionVersion } from '../records/mod.ts';
import type { SandboxTemplate, TemplateSource } from '../worker/mod.ts';
import { type FileSystemDirectory, sandboxTemplate, unqualified } from './sandbox-template.ts';

export interface VersionBookOptions {
  readonly versionsMax?: number;
  /** Without it no function mounts anything. */
  readonly directoryOf?: FileSystemDirectory;
}

/**
 * The versions that were asked for of late: by their names the leader decides, and from the rest
 * workers make sandboxes. A revision that is not remembered is read from the store, if it is still
 * the one that serves.
 */
export class VersionBook implements TemplateSource {
  readonly #region: string;
  readonly #store: Pick<FunctionStore, 'read' | 'readVersion'>;
  readonly #versionsMax: number;
  readonly #directoryOf: FileSystemDirectory;
  /** Versions are immutable, so each is translated once. */
  readonly #refs = new WeakMap<FunctionVersion, VersionRef>();
  readonly #versions = new Map<string, FunctionVersion>();

  constructor(
    region: string,
    store: Pick<FunctionStore, 'read' | 'readVersion'>,
    options: VersionBookOptions = {},
  ) {
    this.#region = region;
    this.#store = store;
    this.#versionsMax = options.versionsMax ?? limits.dispatch.versions;
    this.#directoryOf = options.directoryOf ?? (() => undefined);
  }

  /** By `tenantId`, where there is one, the leader keeps sandboxes apart as it does by revision. */
  refOf(version: FunctionVersion, tenantId?: string): VersionRef {
    const ref = this.#refs.get(version) ?? this.#remember(version);
    return tenantId === undefined ? ref : versionRef({ ...ref, tenantId });
  }

  #remember(version: FunctionVersion): VersionRef {
    const ref = versionRef({
      versionArn: version.arn,
      functionArn: unqualified(version.arn),
      accountId: version.accountId,
      revision: version.servingId,
      memoryMb: version.configuration.memoryMb,
    });
    this.#refs.set(version, ref);
    this.#versions.set(ref.key, version);
    if (this.#versions.size > this.#versionsMax) {
      const oldest = this.#versions.keys().next().value;
      if (oldest !== undefined) this.#versions.delete(oldest);
    }
    return ref;
  }

  async find(ref: VersionRef): Promise<SandboxTemplate> {
    const { tenantId: _, ...untold } = ref;
    const version = this.#versions.get(versionRef(untold).key) ?? (await this.#read(ref));
    return sandboxTemplate(version, this.#region, this.#directoryOf);
  }

  async #read(ref: VersionRef): Promise<FunctionVersion> {
    const [name = '', qualifier = ''] = ref.versionArn.split(':').slice(6);
    const { accountId, revision } = ref;
    const record = await this.#store.read({ accountId, name });
    const version =
      qualifier === '$LATEST'
        ? record?.latest
        : await this.#store.readVersion({ accountId, name }, Number(qualifier));
    if (record && version?.serving?.servingId === revision) {
      return servingVersion(this.#region, {
        reference: { accountId, name, qualifier },
        record,
        version,
      });
    }
    throw new SluiceError('FUNCTION_NOT_FOUND', `${ref.versionArn}: revision ${revision} is gone`, {
      data: { arn: ref.versionArn },
    });
  }
}
