// Builds what the browser gets: one style sheet, one script, two fonts, one icon, and the API's documentation with a style
// sheet and a script of its own; each named by its content.
// Run by tools/assets.py, which sees to Node and the packages, and compresses what comes out.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import subsetFont from "subset-font";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = `${root}static/src/`;
const out = process.argv[2];
if (!out) throw new Error("usage: node tools/build.mjs OUTPUT_FOLDER");

const manifest = {};

/** Writes `bytes` under a name that carries their hash, and remembers it in the manifest. */
async function emit(name, bytes) {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 10);
  const hashed = name.replace(/(\.[^.]+)$/, `-${hash}$1`);
  await writeFile(`${out}/${hashed}`, bytes);
  manifest[name] = hashed;
}

/** Every character that fonts.json asks for: ranges ("20-7e", hexadecimal) and single characters. */
function characters({ ranges, extra }) {
  const points = ranges.flatMap((range) => {
    const [from, to] = range.split("-").map((hex) => Number.parseInt(hex, 16));
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return String.fromCodePoint(...points) + extra;
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const fonts = JSON.parse(await readFile(`${source}fonts/fonts.json`, "utf8"));
for (const font of fonts.faces) {
  const packaged = `${root}node_modules/${font.package}`;
  const whole = await readFile(`${packaged}/files/${font.file}`);
  const subset = await subsetFont(whole, characters(fonts.characters), {
    targetFormat: "woff2",
    variationAxes: font.axes,
  });
  await emit(`${font.name}.woff2`, subset);
  await emit(`${font.name}-licence.txt`, await readFile(`${packaged}/LICENSE`));
}

await emit("favicon.svg", await readFile(`${source}svg/favicon.svg`));

const swagger = `${root}node_modules/swagger-ui-dist`;
const terms = ["LICENSE", "NOTICE", "swagger-ui-es-bundle.js.LICENSE.txt"];
const licences = await Promise.all(terms.map((name) => readFile(`${swagger}/${name}`, "utf8")));
await emit("docs-licence.txt", licences.join("\n"));

const bundled = await build({
  entryPoints: ["app", "docs"].flatMap((name) => [
    { in: `${source}css/${name}.css`, out: `${name}.css` },
    { in: `${source}js/${name}.js`, out: `${name}.js` },
  ]),
  bundle: true,
  minify: true,
  write: false,
  outdir: out,
  format: "iife",
  target: ["chrome123", "firefox121", "safari17.5"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  plugins: [
    {
      // url(font:text) in the style sheet becomes the hashed file beside it: relative, so it also works on another host.
      name: "fonts-by-name",
      setup(pluginBuild) {
        pluginBuild.onResolve({ filter: /^font:/ }, ({ path }) => ({
          path: `./${manifest[`${path.slice("font:".length)}.woff2`]}`,
          external: true,
        }));
      },
    },
  ],
});
for (const file of bundled.outputFiles) {
  // esbuild calls them app.css.css and docs.js.js.
  await emit(basename(file.path).replace(/\.\w+$/, ""), file.contents);
}

await writeFile(`${out}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
