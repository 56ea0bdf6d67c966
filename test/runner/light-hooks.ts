/**
 * Node's test runner follows every promise to know by which test an error was raised, which is half
 * to two thirds of the processor time of a test that is mostly promises. Imported before
 * `node:test`, this lets it follow timers, sockets and files only. What a promise nobody waits for
 * rejects with is no test's then, and fails the file: see `batch.ts`.
 */
import asyncHooks, { type HookCallbacks } from 'node:async_hooks';

const { createHook } = asyncHooks;
asyncHooks.createHook = (callbacks: HookCallbacks) =>
  createHook({ ...callbacks, trackPromises: false });
