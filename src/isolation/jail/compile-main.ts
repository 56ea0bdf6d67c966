/**
 * Compiles a helper's modules into `NODE_COMPILE_CACHE`, by importing its main module where it has
 * nothing to do, and ends. The module's path is no word of the command line, by which helpers are
 * told.
 */
await import(process.env['SLUICE_COMPILE'] ?? '');
process.exit(0);
