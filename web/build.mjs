// Builds the page's script and style sheet into the Python package, or (--tests) the tests into build/.
// Nothing is fetched; the same sources give the same bytes.
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, format: "esm", target: "es2021", charset: "utf8", logLevel: "warning" };
const jsx = { jsx: "automatic", jsxImportSource: "preact" };

if (process.argv.includes("--tests")) {
  rmSync("build", { recursive: true, force: true });
  const entryPoints = readdirSync("test").map((name) => `test/${name}`);
  await build({
    ...common,
    ...jsx,
    entryPoints,
    outdir: "build",
    platform: "node",
    outExtension: { ".js": ".mjs" },
  });
} else {
  const outdir = "../src/octet/choose/page/bundle";
  rmSync(outdir, { recursive: true, force: true });
  const entryPoints = { page: "src/main.tsx", style: "src/style.css" };
  await build({
    ...common,
    ...jsx,
    format: "iife",
    entryPoints,
    outdir,
    minify: true,
    legalComments: "none",
  });
}
