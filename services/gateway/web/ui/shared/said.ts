import type { TFunction } from 'i18next';
import { language } from './words';

// What the services answer in English, as a person meets it: the sentence, and its key under "said".
const sentences: [RegExp, string][] = [
  [/^this time has just been taken/, 'taken'],
  [/^the doctor offers no consultation at this time/, 'notOffered'],
  [/^the waiting room opens (\d+) minutes before/, 'opens'],
  [/^the doctor has not opened the room yet/, 'notOpen'],
  [/^the day of this consultation is over/, 'dayOver'],
  [/^the consultation is over/, 'over'],
  [/^a consultation that is \w+ cannot be \w+/, 'state'],
  [/^a password has at least (\d+) characters/, 'short'],
  [/^a password has at most (\d+) characters/, 'long'],
  [/^this password is easy to guess/, 'easy'],
  [/^a medicine needs a name and a dose/, 'medicine'],
  [/^1 to 24 times a day, for 1 to 365 days/, 'times'],
];

const vietnamese = /[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]/i;

/**
 * said puts a service's sentence into the language in use. A sentence nobody
 * has put into words for patients is left out in Vietnamese; in English what
 * the station says in Vietnamese stays, marked as such.
 */
export function said(message: string, t: TFunction): { text: string; lang?: 'vi' } | undefined {
  for (const [sentence, key] of sentences) {
    const found = sentence.exec(message);
    if (found) return { text: t(`shared:said.${key}`, { n: found[1] }) };
  }
  if (!message) return undefined;
  const own = vietnamese.test(message) ? 'vi' : 'en';
  if (own === language()) return { text: message };
  return own === 'vi' ? { text: message, lang: 'vi' } : undefined;
}
