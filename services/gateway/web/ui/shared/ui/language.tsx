import { Button } from '@mantine/core';
import { IconLanguage } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { chooseLanguage, language } from '../words';

/** LanguageSwitch offers the other language, in its own words. */
export function LanguageSwitch() {
  // Subscribes to the change of language.
  useTranslation('shared');
  const other = language() === 'vi' ? 'en' : 'vi';
  return (
    <Button variant="subtle" color="gray" size="compact-md" lang={other} c="var(--quiet)" leftSection={<IconLanguage size={18} aria-hidden />}
      onClick={() => void chooseLanguage(other)}>
      {other === 'en' ? 'English' : 'Tiếng Việt'}
    </Button>
  );
}
