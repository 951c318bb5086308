import { Button } from '@mantine/core';
import { IconLanguage } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { chooseLanguage, language } from '../words';

/** useOtherLanguage is the language not in use, its own name, and the way to it. */
export function useOtherLanguage() {
  // Subscribes to the change of language.
  useTranslation('shared');
  const other = language() === 'vi' ? 'en' : 'vi';
  return { other, label: other === 'en' ? 'English' : 'Tiếng Việt', choose: () => void chooseLanguage(other) };
}

/** LanguageSwitch offers the other language, in its own words. */
export function LanguageSwitch() {
  const { other, label, choose } = useOtherLanguage();
  return (
    <Button variant="subtle" color="gray" size="compact-md" lang={other} c="var(--quiet)" leftSection={<IconLanguage size={18} aria-hidden />} onClick={choose}>
      {label}
    </Button>
  );
}
