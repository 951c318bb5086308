import { Title } from '@mantine/core';
import type { Figure } from '@shared/services';
import { useTranslation } from 'react-i18next';
import { changeOf, countText, shareText, sorted } from './figures';

function Cells({ figure }: { figure: Figure }) {
  return (
    <>
      <td>{countText(figure.numerator)}</td>
      <td>{figure.share === undefined ? '–' : countText(figure.denominator)}</td>
      <td>{shareText(figure.share)}</td>
      <td>{changeOf(figure)?.text ?? '–'}</td>
    </>
  );
}

/** Table is the same figures in numbers. */
export function Table({ communes, total }: { communes: Figure[]; total: Figure | undefined }) {
  const { t } = useTranslation();
  return (
    <section aria-labelledby="table">
      <Title order={2} id="table" mb={8} style={{ minHeight: 44, display: 'flex', alignItems: 'center' }}>{t('table.title')}</Title>
      {/* A table wider than the screen scrolls; by keyboard too. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region must be reachable by keyboard (WCAG 2.1.1) */}
      <section className="y-sheet d-table" tabIndex={0} aria-label={t('table.title')}>
        <table>
          <thead>
            <tr><th scope="col">{t('table.commune')}</th><th scope="col">{t('figure.numerator')}</th><th scope="col">{t('figure.denominator')}</th><th scope="col">{t('table.share')}</th><th scope="col">{t('table.change')}</th></tr>
          </thead>
          <tbody>
            {sorted(communes, 'name').map((f) => <tr key={f.code || f.name}><th scope="row">{f.name}</th><Cells figure={f} /></tr>)}
          </tbody>
          {total && <tfoot><tr><th scope="row">{t('table.total')}</th><Cells figure={total} /></tr></tfoot>}
        </table>
      </section>
    </section>
  );
}
