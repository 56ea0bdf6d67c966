export type { Extent, NbdExport } from './export.ts';
export { NbdServer } from './server.ts';
