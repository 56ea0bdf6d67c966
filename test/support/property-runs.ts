/** How many times the runs of every property: 20 for a long look, less for mutants by the thousand. */
const SCALE = Number(process.env['SLUICE_PROPERTY_SCALE'] ?? 1);

/**
 * The runs of a property, as fast-check's `numRuns`: a number that finds what the property is there
 * to find, the same on a busy machine as on an idle one, and in a second or two of processor time.
 */
export function propertyRuns(count: number, scale = SCALE): number {
  return Math.max(1, Math.round(count * scale));
}
