// Puts the type of the pages that the server writes itself (start, sign-in)
// under a name without a hash: dist/fonts.css and dist/fonts/. They need the
// Latin and Vietnamese letters in two weights, as the apps do.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const from = new URL('../node_modules/@fontsource/be-vietnam-pro/', import.meta.url);
const dist = new URL('../../dist/', import.meta.url);
mkdirSync(new URL('fonts/', dist), { recursive: true });
let css = '';
for (const weight of ['400', '600']) {
  for (const face of readFileSync(new URL(`${weight}.css`, from), 'utf8').match(/@font-face \{[^}]*\}/g)) {
    const file = /be-vietnam-pro-(vietnamese|latin)-\d+-normal\.woff2/.exec(face)?.[0];
    if (!file) continue;
    cpSync(new URL(`files/${file}`, from), new URL(`fonts/${file}`, dist));
    css += `${face.replace(/src: [^;]*;/, `src: url(/fonts/${file}) format('woff2');`)}\n`;
  }
}
writeFileSync(new URL('fonts.css', dist), css);
