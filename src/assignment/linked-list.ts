/** A place in a `LinkedList`; `value` is what it holds the place of. */
export interface LinkedNode<T> {
  readonly value: T;
  previous: LinkedNode<T> | undefined;
  next: LinkedNode<T> | undefined;
  list: LinkedList<T> | undefined;
}

/** A doubly linked list: push, both ends, and removal from the middle in constant time. */
export interface LinkedList<T> {
  first: LinkedNode<T> | undefined;
  last: LinkedNode<T> | undefined;
  length: number;
}

export function emptyList<T>(): LinkedList<T> {
  return { first: undefined, last: undefined, length: 0 };
}

/** A node that no list holds yet. */
export function nodeOf<T>(value: T): LinkedNode<T> {
  return { value, previous: undefined, next: undefined, list: undefined };
}

/** Puts `node` at the end of `list`, out of whatever list holds it. */
export function append<T>(list: LinkedList<T>, node: LinkedNode<T>): void {
  unlink(node);
  node.previous = list.last;
  node.list = list;
  if (list.last) list.last.next = node;
  else list.first = node;
  list.last = node;
  list.length++;
}

/** Takes `node` out of whatever list holds it. */
export function unlink<T>(node: LinkedNode<T> | undefined): void {
  if (!node?.list) return;
  const { list, previous, next } = node;
  if (previous) previous.next = next;
  else list.first = next;
  if (next) next.previous = previous;
  else list.last = previous;
  node.previous = undefined;
  node.next = undefined;
  node.list = undefined;
  list.length--;
}

export function valuesOf<T>(list: LinkedList<T>): T[] {
  const values: T[] = [];
  for (let node = list.first; node; node = node.next) values.push(node.value);
  return values;
}
