import type { CollectedOrigin, CollectedRoot, LiveManifests } from './collected-origin.ts';

/** Which manifests rest in which roots, and which of them are live: ids only, read once. */
export class Inventory {
  readonly roots: readonly CollectedRoot[];
  readonly live: ReadonlySet<string>;
  readonly #manifests: ReadonlyMap<string, ReadonlySet<string>>;

  private constructor(
    roots: readonly CollectedRoot[],
    live: ReadonlySet<string>,
    manifests: ReadonlyMap<string, ReadonlySet<string>>,
  ) {
    this.roots = roots;
    this.live = live;
    this.#manifests = manifests;
  }

  /**
   * The live ones are read before the roots: a manifest that becomes live while this runs was put
   * into an active root, where it is found or does not matter.
   */
  static async take(origin: CollectedOrigin, liveManifests: LiveManifests): Promise<Inventory> {
    const live = new Set<string>();
    for await (const manifestId of liveManifests.liveManifests()) live.add(manifestId);
    const roots = await origin.listRoots();
    const manifests = new Map<string, Set<string>>();
    for (const { rootId, state } of roots) {
      const ids = new Set<string>();
      manifests.set(rootId, ids);
      if (state === 'deleted') continue;
      for await (const manifestId of origin.listManifests(rootId)) ids.add(manifestId);
    }
    return new Inventory(roots, live, manifests);
  }

  manifestsOf(rootId: string): ReadonlySet<string> {
    return this.#manifests.get(rootId) ?? new Set();
  }

  /** Roots of these states that hold the manifest, in order of the states, newest first. */
  holders(manifestId: string, ...states: CollectedRoot['state'][]): string[] {
    return states.flatMap((state) =>
      this.roots
        .filter((root) => root.state === state && this.manifestsOf(root.rootId).has(manifestId))
        .map(({ rootId }) => rootId)
        .reverse(),
    );
  }

  liveIn(rootId: string): string[] {
    return [...this.manifestsOf(rootId)].filter((manifestId) => this.live.has(manifestId));
  }

  /** Live manifests of this root that no other root in one of these states holds. */
  liveOnlyIn(rootId: string, ...others: CollectedRoot['state'][]): string[] {
    return this.liveIn(rootId).filter((manifestId) =>
      this.holders(manifestId, ...others).every((holder) => holder === rootId),
    );
  }

  /** Live manifests that rest nowhere: lost, or not stored yet by whoever counts them as live. */
  nowhere(): string[] {
    return [...this.live].filter(
      (manifestId) => this.holders(manifestId, 'active', 'retired', 'expired').length === 0,
    );
  }
}
