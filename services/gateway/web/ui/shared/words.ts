import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

/** Language is a catalogue that ships. */
export type Language = 'vi' | 'en';

/** Catalogue loads one namespace in one language. */
export type Catalogue = () => Promise<{ default: Record<string, unknown> }>;

const kept = 'yba.language';

const shared: Record<Language, Catalogue> = {
  vi: () => import('./locales/vi/shared.json'),
  en: () => import('./locales/en/shared.json'),
};

let own: { app: string; catalogues: Record<Language, Catalogue> } | undefined;

/** chosenLanguage is what the person chose before on this device; Vietnamese otherwise. */
export function chosenLanguage(): Language {
  return localStorage.getItem(kept) === 'en' ? 'en' : 'vi';
}

/** language is the one in use now. */
export function language(): Language {
  return i18next.language === 'en' ? 'en' : 'vi';
}

async function load(lang: Language): Promise<void> {
  if (!own || i18next.hasResourceBundle(lang, own.app)) return;
  const [all, app] = await Promise.all([shared[lang](), own.catalogues[lang]()]);
  i18next.addResourceBundle(lang, 'shared', all.default);
  i18next.addResourceBundle(lang, own.app, app.default);
}

/** startWords prepares the catalogues: the app's own is the default namespace, "shared:" holds what all apps say. */
export async function startWords(app: string, catalogues: Record<Language, Catalogue>): Promise<void> {
  own = { app, catalogues };
  const lang = chosenLanguage();
  await i18next.use(initReactI18next).init({
    lng: lang,
    fallbackLng: false,
    ns: ['shared', app],
    defaultNS: app,
    fallbackNS: 'shared',
    resources: {},
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  await load(lang);
  document.documentElement.lang = lang;
}

/** chooseLanguage switches and remembers. */
export async function chooseLanguage(lang: Language): Promise<void> {
  await load(lang);
  localStorage.setItem(kept, lang);
  document.documentElement.lang = lang;
  await i18next.changeLanguage(lang);
}
