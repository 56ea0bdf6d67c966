import { SluiceError } from '../../base/mod.ts';

/** Tests one value of an event; `undefined` where the event has none. */
export type LeafTest = (value: unknown) => boolean;

export function invalidPattern(what: string, cause?: unknown): SluiceError {
  return new SluiceError('EVENT_PATTERN_INVALID', `event pattern: ${what}`, { cause });
}

type Scalar = string | number | boolean | null;

const isScalar = (value: unknown): value is Scalar =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** One entry of a leaf: a value to be equal to, or an operator. */
export function readLeafTest(entry: unknown): LeafTest {
  if (isScalar(entry)) return (value) => value === entry;
  const { name, operand } = readOperator(entry);
  switch (name) {
    case 'exists':
      return readExists(operand);
    case 'numeric':
      return readNumeric(operand);
    case 'anything-but':
      return readAnythingBut(operand);
    default:
      return readTextTest(name, operand);
  }
}

function readOperator(entry: unknown): { name: string; operand: unknown } {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw invalidPattern('a value, or an object of one operator, is wanted');
  }
  const [operator, ...more] = Object.entries(entry);
  if (!operator || more.length > 0) throw invalidPattern('exactly one operator is wanted');
  return { name: operator[0], operand: operator[1] };
}

function readExists(operand: unknown): LeafTest {
  if (typeof operand !== 'boolean') throw invalidPattern('exists takes true or false');
  return (value) => (value !== undefined) === operand;
}

const textTests: Readonly<Record<string, (value: string, wanted: string) => boolean>> = {
  prefix: (value, wanted) => value.startsWith(wanted),
  suffix: (value, wanted) => value.endsWith(wanted),
  'equals-ignore-case': (value, wanted) => value.toLowerCase() === wanted.toLowerCase(),
};

function readTextTest(name: string, operand: unknown): LeafTest {
  const test = Object.hasOwn(textTests, name) ? textTests[name] : undefined;
  if (!test) {
    throw new SluiceError(
      'EVENT_PATTERN_INVALID',
      `event pattern: ${name} is not supported; there are exists, numeric, anything-but, prefix, ` +
        'suffix and equals-ignore-case',
      { data: { unsupported: name } },
    );
  }
  if (name !== 'equals-ignore-case' && typeof operand === 'object') {
    const inner = readOperator(operand);
    if (inner.name !== 'equals-ignore-case' || typeof inner.operand !== 'string') {
      throw invalidPattern(`${name} takes a text`);
    }
    const wanted = inner.operand.toLowerCase();
    return (value) => typeof value === 'string' && test(value.toLowerCase(), wanted);
  }
  if (typeof operand !== 'string') throw invalidPattern(`${name} takes a text`);
  return (value) => typeof value === 'string' && test(value, operand);
}

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

/** One comparison, or two that bound a range. */
function readNumeric(operand: unknown): LeafTest {
  if (!Array.isArray(operand) || ![2, 4].includes(operand.length)) {
    throw invalidPattern('numeric takes a comparison and a number, once or twice');
  }
  const tests: ((value: number) => boolean)[] = [];
  for (let at = 0; at < operand.length; at += 2) {
    const sign: unknown = operand[at];
    const bound: unknown = operand[at + 1];
    const known = typeof sign === 'string' && Object.hasOwn(comparisons, sign);
    const compare = known ? comparisons[sign] : undefined;
    if (!compare || typeof bound !== 'number') {
      throw invalidPattern('numeric takes one of = < <= > >= and a number');
    }
    tests.push((value) => compare(value, bound));
  }
  return (value) => typeof value === 'number' && tests.every((test) => test(value));
}

/** Holds for a value that is there and is none of these. */
function readAnythingBut(operand: unknown): LeafTest {
  if (typeof operand === 'object' && operand !== null && !Array.isArray(operand)) {
    const { name, operand: inner } = readOperator(operand);
    const test = readTextTest(name, inner);
    return (value) => typeof value === 'string' && !test(value);
  }
  const refused: unknown[] = Array.isArray(operand) ? operand : [operand];
  if (refused.length === 0 || !refused.every(isScalar)) {
    throw invalidPattern('anything-but takes a value, a list of values, or a text operator');
  }
  return (value) => isScalar(value) && !refused.includes(value);
}
