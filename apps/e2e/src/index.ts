export { checkDuplicates } from './duplicates.ts';
export { checkEnvironmentExample, namesInExample } from './environment-example.ts';
export { checkImportCycles } from './import-cycles.ts';
export { checkLayout, checkProcessFiles, checkReadmes } from './layout.ts';
export { checkLockFile, checkMachineTraces, checkTests } from './repository-hygiene.ts';
export { checkCommandTable, checkPackageTable, checkReadmePaths, checkSeedFileMap } from './root-readme.ts';
export { packageFolders, readSourceTree, repositoryRoot, type SourceFile } from './source-tree.ts';
export { checkArrows, checkDeclaredArrows, storeyOf } from './storeys.ts';
export { checkEventPaths, checkJobPaths } from './wire-paths.ts';
