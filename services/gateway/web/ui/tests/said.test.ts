import i18next from 'i18next';
import { beforeEach, describe, expect, it } from 'vitest';
import en from '../shared/locales/en/shared.json';
import vi from '../shared/locales/vi/shared.json';
import { said } from '../shared/said';

describe('said', () => {
  beforeEach(async () => {
    await i18next.init({ lng: 'vi', resources: { vi: { shared: vi }, en: { shared: en } }, ns: ['shared'], defaultNS: 'shared' });
  });
  const inWords = (message: string) => said(message, i18next.t);
  it('tells a patient in Vietnamese what the service says in English', () => {
    expect(inWords('this time has just been taken; choose another one')?.text).toBe(vi.said.taken);
    expect(inWords('a password has at least 8 characters')?.text).toBe('Mật khẩu cần ít nhất 8 ký tự.');
  });
  it('leaves out an English sentence that has no Vietnamese words', () => expect(inWords('messages are text')).toBeUndefined());
  it("keeps the station's own Vietnamese", () => expect(inWords('Người này đã có tài khoản.')).toEqual({ text: 'Người này đã có tài khoản.' }));
  it('speaks English and marks Vietnamese for a reader aloud', async () => {
    await i18next.changeLanguage('en');
    expect(inWords('this password is easy to guess; choose another')?.text).toBe(en.said.easy);
    expect(inWords('messages are text')).toEqual({ text: 'messages are text' });
    expect(inWords('Người này đã có tài khoản.')).toEqual({ text: 'Người này đã có tài khoản.', lang: 'vi' });
  });
});
