export {
  type AddImageOptions,
  addImage,
  type DiskMetadata,
  type ImageRecord,
  type ImageSealer,
  type ManifestPut,
} from './add-image.ts';
export { type FlattenOptions, type FlattenSummary, flattenImage } from './flatten.ts';
export { flattenToFile } from './flatten-to-file.ts';
export { type ImageProcess, imageProcess } from './image-process.ts';
export type { ImagePhase, ImageProgress, OnProgress } from './progress.ts';
