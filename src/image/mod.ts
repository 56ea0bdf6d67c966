export { type AddImageOptions, addImage, type ImageRecord } from './add-image.ts';
export { type FlattenOptions, type FlattenSummary, flattenImage } from './flatten.ts';
export { flattenToFile } from './flatten-to-file.ts';
export { type ImageProcess, imageProcess } from './image-process.ts';
export type { ImageProgress, OnProgress } from './progress.ts';
