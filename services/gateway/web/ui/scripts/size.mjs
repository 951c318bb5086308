// Weighs what a phone loads before the patient app's first screen stands:
// the page, its modules with all static imports, styles, and the fonts whose
// characters Vietnamese text needs. Fails above 250 kB compressed.
import { readdirSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const limit = 250_000;
const dist = process.argv[2] ? pathToFileURL(`${process.argv[2]}/`) : new URL('../../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest-patient.json', dist), 'utf8'));
const files = new Set(['patient/index.html']);

function visit(key) {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return;
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) visit(next);
}
visit('patient/index.html');
// What the first screen asks for at once: its words.
for (const key of ['shared/locales/vi/shared.json', 'shared/locales/vi/patient.json']) {
  if (!manifest[key]) throw new Error(`${key} is not a chunk of the build: mend scripts/size.mjs`);
  visit(key);
}
// The gateway sends files compressed once, at the best level.
// Fonts arrive compressed (woff2); weights of the patient app only.
const css = [...files].filter((f) => f.endsWith('.css')).map((f) => readFileSync(new URL(f, dist), 'utf8')).join('');
for (const font of readdirSync(new URL('assets/', dist)).filter((f) => f.endsWith('.woff2'))) {
  if (css.includes(font)) files.add(`assets/${font}`);
}

let total = 0;
const rows = [...files].map((file) => {
  const raw = readFileSync(new URL(file, dist));
  const size = file.endsWith('.woff2') ? raw.length : gzipSync(raw, { level: 9 }).length;
  total += size;
  return [file, size];
});
for (const [file, size] of rows.sort((a, b) => b[1] - a[1])) console.log(`${String(size).padStart(8)}  ${file}`);
console.log(`${String(total).padStart(8)}  together, limit ${limit}`);
if (total > limit) {
  console.error(`The patient app's first load is ${total - limit} bytes too heavy: load a part of it later.`);
  process.exit(1);
}
