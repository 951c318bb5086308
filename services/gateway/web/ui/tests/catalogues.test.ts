import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const home = join(import.meta.dirname, '..');
type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ''): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') all.set(prefix + key, value);
    else for (const [k, v] of flat(value, `${prefix}${key}.`)) all.set(k, v);
  }
  return all;
}

function catalogue(lang: string, name: string): Map<string, string> {
  const file = join(home, 'shared/locales', lang, `${name}.json`);
  return existsSync(file) ? flat(JSON.parse(readFileSync(file, 'utf8'))) : new Map();
}

function sources(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f)).map((f) => join(folder, f));
}

// Keys that are written out in full: t('home.title'). Computed ones (t(`error.${kind}`)) are checked by their beginning.
function asked(file: string): { exact: string[]; beginnings: string[] } {
  const text = readFileSync(file, 'utf8');
  return {
    exact: [...text.matchAll(/\bt\('([\w.-]+)'/g)].map((m) => m[1] ?? ''),
    beginnings: [...text.matchAll(/\bt\(`([\w.-]+\.)\$\{/g)].map((m) => m[1] ?? ''),
  };
}

const has = (words: Map<string, string>, key: string) => words.has(key) || words.has(`${key}_other`);

const apps = ['patient', 'station', 'clinic', 'department'].filter((a) => existsSync(join(home, 'apps', a, 'main.tsx')));

describe.each(['shared', ...apps])('the catalogue %s', (name) => {
  const vi = catalogue('vi', name);
  const en = catalogue('en', name);
  it('has the same keys in both languages', () => expect([...en.keys()].sort()).toEqual([...vi.keys()].sort()));
  it('fills the same blanks in both languages', () => {
    const blanks = (text: string | undefined) => [...(text ?? '').matchAll(/\{\{\w+\}\}/g)].map((m) => m[0]).sort();
    for (const [key, text] of vi) expect(blanks(en.get(key)), key).toEqual(blanks(text));
  });
  it('says something everywhere', () => {
    for (const [key, text] of [...vi, ...en]) expect(text.trim(), key).not.toBe('');
  });
  it('has every key its code asks for', () => {
    const all = new Map([...catalogue('vi', 'shared'), ...vi]);
    const files = sources(join(home, name === 'shared' ? 'shared' : `apps/${name}`)).filter((f) => !f.includes('/gen/'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const { exact, beginnings } = asked(file);
      for (const key of exact) expect(has(all, key), `${key} in ${file}`).toBe(true);
      for (const begin of beginnings) expect([...all.keys()].some((k) => k.startsWith(begin)), `${begin}… in ${file}`).toBe(true);
    }
  });
});
