import { SegmentedControl, Title } from '@mantine/core';
import type { Figure } from '@shared/services';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { changeOf, countText, shareText, sorted, widest } from './figures';

function Bar({ share, target, full }: { share: number | undefined; target: number | undefined; full: number }) {
  const at = (n: number) => `${Math.min(100, (n / full) * 100)}%`;
  const met = target === undefined || (share ?? 0) >= target;
  return (
    <svg aria-hidden="true" focusable="false">
      <rect width="100%" height="16" rx="4" fill="var(--line)" opacity="0.55" />
      {share !== undefined && <rect width={at(share)} height="16" rx="4" fill={met ? 'var(--jade)' : 'var(--amber)'} />}
      {target !== undefined && <line x1={at(target)} x2={at(target)} y1="-4" y2="20" stroke="var(--ink)" strokeWidth="2.5" />}
    </svg>
  );
}

function Detail({ figure, target }: { figure: Figure; target: number | undefined }) {
  const { t } = useTranslation();
  const change = changeOf(figure);
  return (
    <div className="d-detail">
      <dl>
        <dt>{t('figure.numerator')}</dt><dd>{countText(figure.numerator)}</dd>
        <dt>{t('figure.denominator')}</dt><dd>{figure.share === undefined ? t('figure.noDenominator') : countText(figure.denominator)}</dd>
        {figure.denominatorSource && <><dt>{t('figure.source')}</dt><dd>{figure.denominatorSource}</dd></>}
        {change && <><dt>{t('figure.change')}</dt><dd>{t('figure.points', { points: change.text })}</dd></>}
        {target !== undefined && figure.share !== undefined && figure.share < target && (
          <><dt>{t('figure.gap')}</dt><dd>{t('figure.people', { count: Math.ceil(target * figure.denominator) - figure.numerator, number: countText(Math.ceil(target * figure.denominator) - figure.numerator) })}</dd></>
        )}
      </dl>
    </div>
  );
}

/** Bars lists the communes with the target's mark; a row opens its numerator and denominator. */
export function Bars({ communes, target }: { communes: Figure[]; target: number | undefined }) {
  const { t } = useTranslation();
  const [by, setBy] = useState<'share' | 'name'>('share');
  const [open, setOpen] = useState('');
  const full = widest(communes, target);
  return (
    <section aria-labelledby="bars">
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 12, alignItems: 'center', marginBottom: 8, minHeight: 44 }}>
        <Title order={2} id="bars" className="y-grow">{t('bars.title')}</Title>
        <SegmentedControl aria-label={t('bars.sort')} value={by} onChange={(v) => setBy(v === 'name' ? 'name' : 'share')} className="y-no-print"
          data={[{ value: 'share', label: t('bars.lowest') }, { value: 'name', label: t('bars.name') }]} />
      </div>
      <div className="y-sheet">
        {target !== undefined && (
          <div className="d-key">
            <span><svg width="16" height="12" aria-hidden="true"><rect width="16" height="12" rx="3" fill="var(--jade)" /></svg>{t('bars.met')}</span>
            <span><svg width="16" height="12" aria-hidden="true"><rect width="16" height="12" rx="3" fill="var(--amber)" /></svg>{t('bars.notMet')}</span>
            <span><svg width="6" height="16" aria-hidden="true"><line x1="3" x2="3" y1="0" y2="16" stroke="var(--ink)" strokeWidth="2.5" /></svg>{t('bars.target', { share: shareText(target) })}</span>
          </div>
        )}
        <ul className="d-bars y-lines">
          {sorted(communes, by).map((f) => {
            const key = f.code || f.name;
            const opened = open === key;
            return (
              <li key={key}>
                <button type="button" className="d-bar" aria-expanded={opened} onClick={() => setOpen(opened ? '' : key)} data-testid="commune-row" data-commune={f.code}>
                  <span className="d-name">{opened ? <IconChevronDown aria-hidden /> : <IconChevronRight aria-hidden />}<span>{f.name}</span></span>
                  <Bar share={f.share} target={target} full={full} />
                  <strong>{shareText(f.share)}</strong>
                </button>
                {opened && <Detail figure={f} target={target} />}
              </li>
            );
          })}
        </ul>
      </div>
    </section>
  );
}
