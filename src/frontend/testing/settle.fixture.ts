import type { EventSourceMappingStore } from '../../records/mod.ts';

/** Does to a mapping what its poller does once it has followed a change. */
export async function settleMapping(store: EventSourceMappingStore, uuid: string): Promise<void> {
  await store.change(uuid, (current) => {
    if (current.state === 'Deleting') return undefined;
    return { ...current, state: current.enabled ? 'Enabled' : 'Disabled' };
  });
}
