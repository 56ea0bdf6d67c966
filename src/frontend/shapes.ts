import { invalidParameter } from './api-error.ts';
import { print, report, throwBreaches, wrongType } from './shape-errors.ts';

/** One rule on a value, with the words in which the API reports its breach. */
interface Constraint<T> {
  readonly text: string;
  holds(value: T): boolean;
}

/** A shape of the service model: what a JSON value must be, and the type it then has. */
export interface Shape<T> {
  readonly constraints: readonly Constraint<T>[];
  /** Throws `SerializationException` for a value of another JSON type. */
  cast(value: unknown): T;
  /** Reports breaches of this shape and of what is inside it. */
  check(value: T, path: string, breaches: string[]): void;
  /** How messages show the value, where that is not how JSON would. */
  print?(value: T): string;
}

export type ShapeType<S> = S extends Shape<infer T> ? T : never;

function simple<T>(constraints: Constraint<T>[], cast: (value: unknown) => T): Shape<T> {
  return {
    constraints,
    cast,
    check(value, path, breaches) {
      for (const each of constraints) {
        if (!each.holds(value)) breaches.push(report(value, path, each.text));
      }
    },
  };
}

export interface StringRules<V extends string> {
  readonly min?: number;
  readonly max?: number;
  /** As the model writes it: must match the whole value. */
  readonly pattern?: string;
  readonly values?: readonly V[];
}

/** A string; `values` makes it an enum. */
export function string<const V extends string = string>(rules: StringRules<V> = {}): Shape<V> {
  const constraints: Constraint<V>[] = [];
  const { min, max, pattern, values } = rules;
  if (max !== undefined) constraints.push(lengthAtMost(max));
  if (min !== undefined) constraints.push(lengthAtLeast(min));
  if (pattern !== undefined) {
    const expression = new RegExp(`^(?:${pattern})$`);
    constraints.push({
      text: `Member must satisfy regular expression pattern: ${pattern}`,
      holds: (value) => expression.test(value),
    });
  }
  if (values) {
    constraints.push({
      text: `Member must satisfy enum value set: [${values.join(', ')}]`,
      holds: (value) => values.includes(value),
    });
  }
  return simple(constraints, (value) =>
    typeof value === 'string' ? (value as V) : wrongType(value, 'String'),
  );
}

const lengthAtMost = (max: number): Constraint<string | readonly unknown[]> => ({
  text: `Member must have length less than or equal to ${max}`,
  holds: (value) => value.length <= max,
});

const lengthAtLeast = (min: number): Constraint<string | readonly unknown[]> => ({
  text: `Member must have length greater than or equal to ${min}`,
  holds: (value) => value.length >= min,
});

export function number(rules: { min?: number; max?: number; whole?: boolean }): Shape<number> {
  const constraints: Constraint<number>[] = [];
  const { min, max, whole = true } = rules;
  const shown = (bound: number) => (whole ? String(bound) : bound.toFixed(1));
  if (max !== undefined) {
    constraints.push({
      text: `Member must have value less than or equal to ${shown(max)}`,
      holds: (value) => value <= max,
    });
  }
  if (min !== undefined) {
    constraints.push({
      text: `Member must have value greater than or equal to ${shown(min)}`,
      holds: (value) => value >= min,
    });
  }
  const shape = simple(constraints, (value) => {
    if (typeof value !== 'number') return wrongType(value, whole ? 'Integer' : 'Double');
    if (whole && !Number.isInteger(value)) return wrongType(value, 'Integer');
    return value;
  });
  // The service prints a double that is whole with its `.0`.
  const print = (value: number) => (Number.isInteger(value) ? value.toFixed(1) : String(value));
  return whole ? shape : { ...shape, print };
}

export function boolean(): Shape<boolean> {
  return simple([], (value) => (typeof value === 'boolean' ? value : wrongType(value, 'Boolean')));
}

const notNull: Constraint<unknown> = {
  text: 'Member must not be null',
  holds: (value) => value !== undefined,
};

const every = (inner: Shape<unknown>, lead: string) =>
  `${lead} must satisfy constraint: [${inner.constraints.map((each) => each.text).join(', ')}]`;

/**
 * A list; a breach of an element is reported for the whole list, and one inside of an element that is
 * a structure for its member, as the API does.
 */
export function list<T>(element: Shape<T>, rules: { min?: number; max?: number } = {}): Shape<T[]> {
  const constraints: Constraint<T[]>[] = [];
  if (rules.max !== undefined) constraints.push(lengthAtMost(rules.max));
  if (rules.min !== undefined) constraints.push(lengthAtLeast(rules.min));
  if (element.constraints.length > 0) {
    constraints.push({
      text: every({ ...element, constraints: [...element.constraints, notNull] }, 'Member'),
      holds: (value) =>
        value.every((each) => element.constraints.every((rule) => rule.holds(each))),
    });
  }
  const whole = simple(constraints, (value) =>
    Array.isArray(value) ? value.map((each) => element.cast(each)) : wrongType(value, 'List'),
  );
  if (element.constraints.length > 0) return whole;
  return {
    ...whole,
    check(value, path, breaches) {
      whole.check(value, path, breaches);
      for (const [index, each] of value.entries()) {
        element.check(each, `${path}.${index + 1}.member`, breaches);
      }
    },
  };
}

/** A map from strings. */
export function map<T>(key: Shape<string>, value: Shape<T>): Shape<Record<string, T>> {
  const constraints: Constraint<Record<string, T>>[] = [];
  if (key.constraints.length > 0) {
    constraints.push({
      text: every({ ...key, constraints: [...key.constraints, notNull] }, 'Map keys'),
      holds: (given) =>
        Object.keys(given).every((each) => key.constraints.every((rule) => rule.holds(each))),
    });
  }
  if (value.constraints.length > 0) {
    constraints.push({
      text: every({ ...value, constraints: [...value.constraints, notNull] }, 'Map value'),
      holds: (given) =>
        Object.values(given).every((each) => value.constraints.every((rule) => rule.holds(each))),
    });
  }
  const shown = (given: Record<string, T>) =>
    `{${Object.entries(given)
      .map(([name, each]) => `${name}=${value.print?.(each) ?? print(each)}`)
      .join(', ')}}`;
  return {
    constraints,
    cast(given) {
      if (typeof given !== 'object' || given === null || Array.isArray(given)) {
        return wrongType(given, 'Map');
      }
      const entries = Object.entries(given);
      return Object.fromEntries(entries.map(([name, each]) => [name, value.cast(each)] as const));
    },
    check(given, path, breaches) {
      for (const each of constraints) {
        if (!each.holds(given)) breaches.push(report(given, path, each.text, shown(given)));
      }
    },
  };
}

type Members = Readonly<Record<string, Shape<unknown>>>;
type Structure<R extends Members, O extends Members> = {
  -readonly [K in keyof R]: ShapeType<R[K]>;
} & { -readonly [K in keyof O]?: ShapeType<O[K]> };

/** Members that the service knows and a region here has nothing for, each with the reason. */
export type RefusedMembers = Readonly<Record<string, string>>;

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

/**
 * An object; members that the shape does not name are ignored, and null is the same as absent.
 * Nothing that would be served elsewhere is dropped in silence: `refused` members that say
 * anything are refused in words.
 */
export function structure<const R extends Members, const O extends Members>(
  required: R,
  optional: O,
  refused: RefusedMembers = {},
): Shape<Structure<R, O>> {
  const members: Record<string, Shape<unknown>> = { ...required, ...optional };
  return {
    constraints: [],
    cast(value) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return wrongType(value, 'Structure');
      }
      for (const [name, reason] of Object.entries(refused)) {
        const given = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : null;
        if (!isEmpty(given)) throw invalidParameter(`${name} is not supported: ${reason}`);
      }
      const out: Record<string, unknown> = {};
      for (const [name, shape] of Object.entries(members)) {
        const given = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : null;
        if (given !== null && given !== undefined) out[name] = shape.cast(given);
      }
      return out as Structure<R, O>;
    },
    check(value, path, breaches) {
      for (const [name, shape] of Object.entries(members)) {
        const lower = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
        const inner = path === '' ? lower : `${path}.${lower}`;
        const given = (value as Record<string, unknown>)[name];
        if (given !== undefined) shape.check(given, inner, breaches);
        else if (name in required) breaches.push(report(undefined, inner, notNull.text));
      }
    },
  };
}

/** The value as the shape's type, or the API's error. */
export function validate<T>(shape: Shape<T>, value: unknown, path = ''): T {
  const cast = shape.cast(value);
  const breaches: string[] = [];
  shape.check(cast, path, breaches);
  throwBreaches(breaches);
  return cast;
}
