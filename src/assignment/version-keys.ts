import type { VersionKey } from './state.ts';
import type { SandboxTemplate } from './types.ts';

/** The state machine's key of each template, made once: templates are as immutable as versions. */
export class VersionKeys {
  readonly #keys = new WeakMap<SandboxTemplate, VersionKey>();

  of(template: SandboxTemplate): VersionKey {
    const known = this.#keys.get(template);
    if (known) return known;
    const { functionArn, accountId, version, revision } = template;
    const versionArn = `${functionArn}:${version}`;
    const key = { key: `${versionArn}#${revision}`, versionArn, functionArn, accountId, template };
    this.#keys.set(template, key);
    return key;
  }
}
