/** What one part of a region says of itself. */
export interface PartFinding {
  /** `state`, `keys` or `origin`, with where it is. */
  readonly name: string;
  readonly regionId: string | undefined;
  /** Which of its files says so. */
  readonly idFile: string;
  /** Whether it holds anything that a region would lose. */
  readonly isEmpty: boolean;
  /** Of an origin: whether what it holds would be kept without any state. */
  readonly needsNoState?: boolean;
}

/** What to do with the parts that are there. */
export type PartsVerdict =
  /** They belong to one region. */
  | { readonly kind: 'same'; readonly regionId: string }
  /** There is nothing yet, or what a Sluice left that wrote no ids. */
  | { readonly kind: 'unnamed' }
  | { readonly kind: 'refused'; readonly why: string };

const remedy =
  'or, to go on with what is there and give up the rest, run sluice region adopt on this data directory';

/**
 * Whether a data directory's parts belong together. A part that lacks or differs stops everything:
 * what went by the others would be taken for garbage, and deleted.
 */
export function judgeParts(parts: readonly PartFinding[]): PartsVerdict {
  const named = parts.filter(({ regionId }) => regionId !== undefined);
  const [first] = named;
  if (first?.regionId === undefined) return judgeUnnamed(parts);
  const other = named.find(({ regionId }) => regionId !== first.regionId);
  if (other) {
    const why = `${other.name}: belongs to region ${other.regionId}, and ${first.name} to region ${first.regionId}; choose the place that belongs to it, ${remedy}`;
    return { kind: 'refused', why };
  }
  const lacking = parts.find(({ regionId }) => regionId === undefined);
  if (!lacking) return { kind: 'same', regionId: first.regionId };
  const what = lacking.isEmpty
    ? 'is empty or not mounted'
    : `does not say which region it is of: ${lacking.idFile} is not there`;
  const why = `${lacking.name}: ${what}, while ${first.name} belongs to region ${first.regionId}; mount it or restore it from a backup, ${remedy}`;
  return { kind: 'refused', why };
}

/**
 * An older Sluice wrote no ids: what it left is taken as it is, unless its state is what lacks. It made
 * none for those who only added images; with the keys that open them that is a whole region.
 */
function judgeUnnamed(parts: readonly PartFinding[]): PartsVerdict {
  const state = parts.find(({ name }) => name.startsWith('state'));
  const full = parts.find(({ isEmpty }) => !isEmpty);
  if (!state?.isEmpty || !full) return { kind: 'unnamed' };
  const hasKeys = parts.some(({ name, isEmpty }) => name.startsWith('keys') && !isEmpty);
  if (hasKeys && parts.some(({ needsNoState }) => needsNoState)) return { kind: 'unnamed' };
  const why = `${state.name}: is empty, while ${full.name} is not; mount it or restore it from a backup, ${remedy}`;
  return { kind: 'refused', why };
}
