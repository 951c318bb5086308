import { Table, Text, Title } from '@mantine/core';
import { formatDate, formatTime } from '@shared/format';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { Empty, View } from '@shared/ui/states';
import { IconCalendar } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useToday } from './day-data';

/** Day is the doctor's home: the whole day in one table. */
export function Day() {
  const { t } = useTranslation();
  const today = useToday();
  return (
    <div className="c-page">
      <PageTitle title={t('day.title', { date: formatDate(new Date()) })} />
      <View query={today}>
        {(d) => {
          const all = [...d.active, ...d.waiting, ...d.booked, ...d.invited, ...d.ended].sort((a, b) => a.start.localeCompare(b.start));
          return (
            <>
              <Text mb="md">{t('day.sum', { waiting: d.waiting.length, booked: d.booked.length, ended: d.ended.length })}</Text>
              {all.length === 0 ? <Empty title={t('day.none')} hint={t('day.noneHint')} icon={<IconCalendar size={40} stroke={1.3} />} /> : (
                <div className="y-sheet" style={{ overflowX: 'auto' }}>
                  <Table verticalSpacing="sm" horizontalSpacing="md">
                    <Table.Thead>
                      <Table.Tr><Table.Th>{t('day.time')}</Table.Th><Table.Th>{t('day.patient')}</Table.Th><Table.Th>{t('day.reason')}</Table.Th><Table.Th>{t('day.state')}</Table.Th></Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {all.map((c) => (
                        <Table.Tr key={c.id}>
                          <Table.Td>{formatTime(c.start)}</Table.Td>
                          <Table.Td><Link to={`/consultation/${c.id}`}><strong>{c.patientName}</strong></Link><div className="y-quiet y-small"><PersonLine birthDate={c.birthDate} gender={c.gender} /></div></Table.Td>
                          <Table.Td>{c.reason}</Table.Td>
                          <Table.Td><Mark tone={c.status === 'waiting' || c.status === 'active' ? 'own' : 'quiet'}>{t(`status.${c.status}`)}</Mark></Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </div>
              )}
              <Title order={2} size="h3" mt="lg">{t('day.help')}</Title>
              <Text c="dimmed">{t('day.helpText')}</Text>
            </>
          );
        }}
      </View>
    </div>
  );
}
