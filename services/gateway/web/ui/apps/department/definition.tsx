import { Button, Drawer } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { formatDate } from '@shared/format';
import type { Indicator } from '@shared/services';
import { language } from '@shared/words';
import { IconInfoCircle } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { shareText } from './figures';

/** inWords gives an indicator's texts in the language in use. */
export function inWords(i: Indicator) {
  return language() === 'en'
    ? { name: i.nameEn || i.name, definition: i.definitionEn || i.definition, numerator: i.numeratorEn || i.numerator, denominator: i.denominatorEn || i.denominator }
    : { name: i.name, definition: i.definition, numerator: i.numerator, denominator: i.denominator };
}

/** Definition opens what the number means: no figure without it. */
export function Definition({ indicator }: { indicator: Indicator }) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const words = inWords(indicator);
  return (
    <>
      <Button variant="subtle" leftSection={<IconInfoCircle size={20} aria-hidden />} onClick={open} data-testid="definition">{t('definition.open')}</Button>
      <Drawer opened={opened} onClose={close} position="right" size="md" title={words.name} closeButtonProps={{ 'aria-label': t('close') }} styles={{ title: { fontWeight: 600, fontSize: '1.125rem' } }}>
        <dl className="d-definition">
          <dt>{t('definition.definition')}</dt><dd>{words.definition}</dd>
          <dt>{t('figure.numerator')}</dt><dd>{words.numerator}</dd>
          <dt>{t('figure.denominator')}</dt><dd>{words.denominator}</dd>
          <dt>{t('definition.source')}</dt><dd>{indicator.source}</dd>
          <dt>{t('definition.from')}</dt><dd>{formatDate(indicator.validFrom)}</dd>
          <dt>{t('definition.targets')}</dt>
          {indicator.targets.length === 0 ? <dd>{t('definition.noTargets')}</dd>
            : indicator.targets.map((g) => <dd key={`${g.by}-${g.level}`}>{t(`definition.target.${g.level === 'national' ? 'national' : 'province'}`, { share: shareText(g.share), date: formatDate(g.by) })}<br /><span className="y-quiet y-small">{g.source}</span></dd>)}
        </dl>
      </Drawer>
    </>
  );
}
