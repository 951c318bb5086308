import { formatDate } from '@shared/format';
import { Mark } from '@shared/ui/mark';
import { IconChevronRight } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { type Section, sectionIcon, useSection } from './sections';

/** Row is a part of the booklet with its newest line. */
export function Row({ section, patient }: { section: Section; patient: string }) {
  const { t } = useTranslation();
  const found = useSection(section, patient, 5);
  const Icon = sectionIcon[section];
  const newest = found.data?.[0];
  return (
    <Link className="y-row" to={`/booklet/${section}`}>
      <Icon aria-hidden color="var(--jade)" stroke={1.6} style={{ flex: 'none' }} />
      <span className="y-grow">
        <span style={{ fontWeight: 600, display: 'block' }}>{t(`section.${section}`)}</span>
        <span className="y-quiet y-small" style={{ display: 'block' }}>
          {found.isPending ? t('loading') : found.error ? t('home.unread') : newest
            ? [newest.title, newest.text, formatDate(newest.date)].filter(Boolean).join(' · ') : t('home.empty')}
        </span>
        {newest?.mark === 'allergy' && <Mark tone="danger">{t('entry.mark.allergy')}</Mark>}
      </span>
      <IconChevronRight aria-hidden size={20} color="var(--quiet)" />
    </Link>
  );
}
