import { limits } from '../../base/mod.ts';
import { invalidPattern, readLeafTest } from './pattern-operators.ts';

/** Whether an event has what a pattern asks for. */
export type EventPattern = (event: unknown) => boolean;

type Tree = Readonly<Record<string, unknown>>;

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads an event pattern as FilterCriteria has it: an object whose leaves are lists of values and
 * operators, of which one has to hold; all fields have to hold, and one branch of each `$or`.
 * Throws `EVENT_PATTERN_INVALID`; its data say `unsupported` where only an operator is unknown.
 */
export function readEventPattern(text: string): EventPattern {
  let tree: unknown;
  try {
    tree = JSON.parse(text);
  } catch (cause) {
    throw invalidPattern('not JSON', cause);
  }
  return readTree(tree, 0);
}

function readTree(tree: unknown, depth: number): EventPattern {
  if (!isTree(tree)) throw invalidPattern('an object is wanted');
  if (depth > limits.eventSources.filterDepth) throw invalidPattern('nested too deep');
  const fields = Object.entries(tree);
  if (fields.length === 0 && depth > 0) throw invalidPattern('an empty object asks for nothing');
  const tests = fields.map(([name, asked]) =>
    name === '$or' ? readAlternatives(asked, depth) : readField(name, asked, depth),
  );
  return (event) => tests.every((test) => test(event));
}

function readAlternatives(asked: unknown, depth: number): EventPattern {
  if (!Array.isArray(asked) || asked.length < 2) {
    throw invalidPattern('$or takes a list of two patterns or more');
  }
  const branches = asked.map((each) => readTree(each, depth + 1));
  return (event) => branches.some((branch) => branch(event));
}

function readField(name: string, asked: unknown, depth: number): EventPattern {
  if (isTree(asked)) {
    const inner = readTree(asked, depth + 1);
    return (event) => listOf(valueAt(event, name)).some(inner);
  }
  if (!Array.isArray(asked) || asked.length === 0) {
    throw invalidPattern(`${name}: a list of values is wanted, or an object`);
  }
  const tests = asked.map(readLeafTest);
  return (event) => listOf(valueAt(event, name)).some((each) => tests.some((test) => test(each)));
}

function valueAt(event: unknown, name: string): unknown {
  return isTree(event) && Object.hasOwn(event, name) ? event[name] : undefined;
}

/** A list in an event stands for any of its elements. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
