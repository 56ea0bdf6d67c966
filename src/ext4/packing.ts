import type { DiskString } from './entry.ts';
import { BLOCKS_PER_CHUNK } from './format.ts';

/** What a layer's packing may depend on: never an mtime, an owner or the order of the tar. */
export interface PackItem {
  readonly path: DiskString;
  /** Less than a chunk. */
  readonly blocks: number;
}

/** A bin filled this far is worth a chunk; a group's last one below it joins its parent's rest. */
const KEEP_BLOCKS = (BLOCKS_PER_CHUNK * 3) / 4;
/** Bins of leftovers end with the group that fills them this far. */
const END_BLOCKS = BLOCKS_PER_CHUNK / 2;

/** A package or a directory: items of its own and groups below it. */
interface Group<Item> {
  readonly items: Item[];
  readonly below: Map<DiskString, Group<Item>>;
}

/** Items that stay together because they are few. */
interface Unit<Item> {
  readonly items: readonly Item[];
  readonly blocks: number;
}

const newGroup = <Item>(): Group<Item> => ({ items: [], below: new Map() });
const byPath = (a: PackItem, b: PackItem) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

function toUnit<Item extends PackItem>(items: readonly Item[]): Unit<Item> {
  return { items, blocks: items.reduce((sum, item) => sum + item.blocks, 0) };
}

function join<Item extends PackItem>(units: readonly Unit<Item>[]): Unit<Item> {
  return toUnit(units.flatMap((unit) => unit.items));
}

/** Puts whole units in bins; a bin takes no more once it is filled to `END_BLOCKS`. */
function packUnits<Item extends PackItem>(units: readonly Unit<Item>[]): Unit<Item>[] {
  const bins: Unit<Item>[][] = [];
  let filled = BLOCKS_PER_CHUNK;
  for (const unit of units) {
    if (filled >= END_BLOCKS || filled + unit.blocks > BLOCKS_PER_CHUNK) {
      bins.push([]);
      filled = 0;
    }
    bins.at(-1)!.push(unit);
    filled += unit.blocks;
  }
  return bins.map(join);
}

/** Fills bins with items in order of path; answers the last one apart when it is not full enough. */
function packItemsDensely<Item extends PackItem>(items: readonly Item[], bins: Item[][]): Item[] {
  let filled = BLOCKS_PER_CHUNK;
  for (const item of items) {
    if (filled + item.blocks > BLOCKS_PER_CHUNK) {
      bins.push([]);
      filled = 0;
    }
    bins.at(-1)!.push(item);
    filled += item.blocks;
  }
  return filled < KEEP_BLOCKS ? bins.pop()! : [];
}

/**
 * Packs a group: what fills chunks gets its own, what is left over is answered, at most one bin of
 * it, to be packed with the leftovers of its neighbours.
 */
function packGroup<Item extends PackItem>(group: Group<Item>, bins: Item[][]): Unit<Item>[] {
  const units: Unit<Item>[] = [];
  const own = toUnit(group.items.sort(byPath));
  if (own.blocks >= BLOCKS_PER_CHUNK) units.push(toUnit(packItemsDensely(own.items, bins)));
  else units.push(own);
  const names = [...group.below.keys()].sort((a, b) => (a < b ? -1 : 1));
  for (const name of names) units.push(...packGroup(group.below.get(name)!, bins));
  const left = units.filter((unit) => unit.items.length > 0);
  const all = left.reduce((sum, unit) => sum + unit.blocks, 0);
  if (left.length === 0) return [];
  if (all < BLOCKS_PER_CHUNK) return [join(left)];
  const packed = packUnits(left);
  const last = packed.at(-1)!.blocks < END_BLOCKS ? packed.pop() : undefined;
  for (const bin of packed) bins.push([...bin.items]);
  return last ? [last] : [];
}

/**
 * Puts a layer's items in bins of one chunk, so that what changes together lies together: groups
 * are packages where the layer says which file is whose, directories elsewhere. A change in one
 * group changes the bins of that group, and the one where its leftover lies.
 * @param ownerOf the package of a path
 */
export function packItems<Item extends PackItem>(
  items: readonly Item[],
  ownerOf: (path: DiskString) => string | undefined = () => undefined,
): Item[][] {
  const packages = newGroup<Item>();
  const directories = newGroup<Item>();
  for (const item of items) {
    const owner = ownerOf(item.path);
    const names = owner === undefined ? item.path.split('/').slice(0, -1) : [owner];
    let group = owner === undefined ? directories : packages;
    for (const name of names) {
      let next = group.below.get(name);
      if (!next) {
        next = newGroup();
        group.below.set(name, next);
      }
      group = next;
    }
    group.items.push(item);
  }
  const bins: Item[][] = [];
  const left = [...packLeftovers(packages, bins), ...packGroup(directories, bins)];
  for (const bin of packUnits(left)) bins.push([...bin.items]);
  return bins;
}

/** The leftovers of packages, in order of name, are all packed at the layer's end. */
function packLeftovers<Item extends PackItem>(packages: Group<Item>, bins: Item[][]): Unit<Item>[] {
  const names = [...packages.below.keys()].sort((a, b) => (a < b ? -1 : 1));
  return names.flatMap((name) => packGroup(packages.below.get(name)!, bins));
}
