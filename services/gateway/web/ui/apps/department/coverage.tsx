import { Group, Text, Title } from '@mantine/core';
import { formatDate, formatDateTime } from '@shared/format';
import { coverage, type Indicator } from '@shared/services';
import { Mark } from '@shared/ui/mark';
import { PageTitle } from '@shared/ui/page';
import { Empty, ErrorNote, Skeleton, View } from '@shared/ui/states';
import { IconCheck, IconTarget, IconTrendingDown, IconTrendingUp } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Bars } from './bars';
import { Definition, inWords } from './definition';
import { Export } from './export';
import { changeOf, countText, shareText } from './figures';
import { Geography } from './geography';
import { Table } from './table';

function useReport(indicator: string, geography: string) {
  return useQuery({
    queryKey: ['coverage', indicator, geography], queryFn: () => coverage.report({ indicator, geography }), enabled: indicator !== '',
    refetchInterval: 20_000, placeholderData: keepPreviousData,
  });
}

function Change({ figure }: { figure: { share: number | undefined; before: number | undefined } }) {
  const { t } = useTranslation();
  const change = changeOf(figure);
  if (!change) return null;
  return (
    <span className="y-small" style={{ display: 'inline-flex', gap: 4, alignItems: 'center' }}>
      {change.points > 0 && <IconTrendingUp size={16} aria-hidden />}{change.points < 0 && <IconTrendingDown size={16} aria-hidden />}
      {t('figure.change30', { points: change.text })}
    </span>
  );
}

function TargetMark({ share, target }: { share: number | undefined; target: { share: number; by: string } | undefined }) {
  const { t } = useTranslation();
  if (!target) return <Mark tone="quiet">{t('figure.noTarget')}</Mark>;
  const values = { share: shareText(target.share), date: formatDate(target.by) };
  return share !== undefined && share >= target.share
    ? <Mark tone="own" icon={<IconCheck size={14} aria-hidden />}>{t('figure.met', values)}</Mark>
    : <Mark tone="due" icon={<IconTarget size={14} aria-hidden />}>{t('figure.target', values)}</Mark>;
}

function Card({ indicator, chosen, geography }: { indicator: Indicator; chosen: boolean; geography: string }) {
  const report = useReport(indicator.id, geography);
  const total = report.data?.total;
  return (
    <Link className="y-sheet d-card" to={`/indicator/${indicator.id}${geography && `?geography=${geography}`}`} aria-current={chosen ? 'page' : undefined} data-testid={`indicator-${indicator.id}`}>
      <span style={{ fontWeight: 600 }}>{inWords(indicator).name}</span>
      {report.error && !total ? <ErrorNote error={report.error} inline /> : !report.data ? <Skeleton lines={1} height={32} /> : (
        <>
          <span className="d-big" style={{ display: 'block' }}>{shareText(total?.share)}</span>
          <Group gap={8} mt={6}><TargetMark share={total?.share} target={report.data.target} />{total && <Change figure={total} />}</Group>
        </>
      )}
    </Link>
  );
}

function Report({ indicator, geography }: { indicator: Indicator; geography: string }) {
  const { t } = useTranslation();
  const report = useReport(indicator.id, geography);
  return (
    <View query={report} lines={10}>
      {({ total, communes, target, asOf }) => (
        <>
          <section className="d-total" aria-labelledby="total">
            <div className="d-figure">
              <Title order={2} id="total">{inWords(indicator).name}</Title>
              <span>
                <b data-testid="total-share">{shareText(total?.share)}</b> · {t('total.of')} <b data-testid="total-numerator" data-value={total?.numerator}>{countText(total?.numerator ?? 0)}</b> / <b data-testid="total-denominator">{total?.share === undefined ? '–' : countText(total.denominator)}</b>
              </span>{' '}
              <span className="y-quiet y-small" data-testid="as-of">{asOf ? t('total.asOf', { time: formatDateTime(asOf) }) : t('total.notYet')}</span>
            </div>
            <Group gap={8}>
              <Definition indicator={indicator} />
              <Export indicator={indicator.id} geography={geography} />
            </Group>
          </section>
          {communes.length === 0 ? <div className="y-sheet"><Empty title={t('bars.none')} hint={t('bars.noneHint')} /></div> : (
            <div className="d-split">
              <Bars communes={communes} target={target?.share} />
              <Table communes={communes} total={total} />
            </div>
          )}
        </>
      )}
    </View>
  );
}

/** Coverage shows an indicator for the province and its communes; its place, date and geography stand in the address. */
export function Coverage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { indicator = '' } = useParams({ strict: false }) as { indicator?: string };
  const { geography: asked } = useSearch({ strict: false }) as { geography?: unknown };
  const geography = /^\d{4}-\d{2}-\d{2}$/.test(String(asked ?? '')) ? String(asked) : '';
  const list = useQuery({ queryKey: ['indicators'], queryFn: () => coverage.listIndicators({}), staleTime: 300_000 });
  const chosen = list.data?.indicators.find((i) => i.id === indicator) ?? list.data?.indicators[0];
  return (
    <>
      <div className="d-top">
        <div className="y-grow" style={{ minWidth: 240 }}>
          <PageTitle title={t('coverage.title')} />
          <Text c="dimmed" mt={-12}>{t('coverage.day', { date: formatDate(new Date()) })}</Text>
        </div>
        <Geography value={geography} onChange={(g) => void navigate({ to: `/indicator/${chosen?.id ?? ''}${g && `?geography=${g}`}` })} />
      </div>
      <View query={list} lines={4}>
        {({ indicators }) => (
          <>
            <nav aria-label={t('coverage.indicators')}>
              <ul className="d-cards">
                {indicators.map((i) => <li key={i.id}><Card indicator={i} chosen={i.id === chosen?.id} geography={geography} /></li>)}
              </ul>
            </nav>
            {chosen && <Report key={chosen.id} indicator={chosen} geography={geography} />}
          </>
        )}
      </View>
    </>
  );
}
