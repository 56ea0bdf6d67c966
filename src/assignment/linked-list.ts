import { assert } from '../base/mod.ts';

/** A place in a `LinkedList`; the list that holds it is its only writer. */
export interface LinkedNode<T> {
  readonly value: T;
  previous: LinkedNode<T> | undefined;
  next: LinkedNode<T> | undefined;
  list: LinkedList<T> | undefined;
}

/** A doubly linked list: push, both ends, and removal from the middle in constant time. */
export class LinkedList<T> {
  #first: LinkedNode<T> | undefined;
  #last: LinkedNode<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  get last(): T | undefined {
    return this.#last?.value;
  }

  push(value: T): LinkedNode<T> {
    const node: LinkedNode<T> = { value, previous: this.#last, next: undefined, list: this };
    if (this.#last) this.#last.next = node;
    else this.#first = node;
    this.#last = node;
    this.#length++;
    return node;
  }

  remove(node: LinkedNode<T>): void {
    assert(node.list === this, 'a node is removed from the list that holds it');
    if (node.previous) node.previous.next = node.next;
    else this.#first = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#last = node.previous;
    node.list = undefined;
    this.#length--;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let node = this.#first; node; node = node.next) yield node.value;
  }
}

/** Takes `node` out of whatever list holds it. */
export function unlink<T>(node: LinkedNode<T> | undefined): undefined {
  node?.list?.remove(node);
  return undefined;
}
