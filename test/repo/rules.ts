import type { Rule } from './rule.ts';
import {
  codesAreRaised,
  decisionNumbers,
  errorsPage,
  linksLead,
  metricsPage,
  oneNodeVersion,
} from './rules/documents.ts';
import { noUnusedExports, oneTypeOneName } from './rules/exports.ts';
import { smallFiles, testCodeSaysSo, wholeProperties } from './rules/files.ts';
import {
  errorField,
  messagesAreForPeople,
  nothingLeftOver,
  nothingPutOff,
  timeAndChance,
} from './rules/lines.ts';

/** Every rule that the repository keeps, apart from that of the layers. */
export const rules: readonly Rule[] = [
  timeAndChance,
  smallFiles,
  nothingLeftOver,
  nothingPutOff,
  errorField,
  messagesAreForPeople,
  wholeProperties,
  testCodeSaysSo,
  oneTypeOneName,
  noUnusedExports,
  linksLead,
  codesAreRaised,
  errorsPage,
  metricsPage,
  decisionNumbers,
  oneNodeVersion,
];
