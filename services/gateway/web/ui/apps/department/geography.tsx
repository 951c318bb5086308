import { Group, Select, TextInput } from '@mantine/core';
import { isoDay } from '@shared/format';
import { useTranslation } from 'react-i18next';

// The last day before the communes of 2025 came into force (Resolution 202/2025/QH15).
const beforeReform = '2025-06-30';

/** Geography chooses the date whose communes the figures are shown in; empty is today. */
export function Geography({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation();
  const kind = value === '' ? 'today' : value === beforeReform ? 'before' : 'other';
  const today = isoDay(new Date());
  return (
    <Group gap={8} align="flex-end">
      <Select label={t('geography.label')} w={300} maw="100%" allowDeselect={false} value={kind} data-testid="geography"
        data={[{ value: 'today', label: t('geography.today') }, { value: 'before', label: t('geography.before') }, { value: 'other', label: t('geography.other') }]}
        onChange={(k) => onChange(k === 'before' ? beforeReform : k === 'other' ? today : '')} />
      {kind === 'other' && <TextInput type="date" label={t('geography.date')} max={today} value={value} onChange={(e) => { if (e.currentTarget.value) onChange(e.currentTarget.value); }} />}
    </Group>
  );
}
