import { Text, useComputedColorScheme } from '@mantine/core';
import type { Point, VitalKind } from '@shared/fhir';
import { formatDate, formatNumber } from '@shared/format';
import { language } from '@shared/words';
import { LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use as registerParts } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

registerParts([LineChart, GridComponent, SVGRenderer]);

type Series = Partial<Record<VitalKind, Point[]>>;

const shown: VitalKind[] = ['pulse', 'temperature', 'spo2', 'weight', 'glucose', 'height'];
const units = ['cm', 'kg', 'mm[Hg]', '/min', 'Cel', '%', 'mmol/L'];

function Spark({ lines, colour }: { lines: Point[][]; colour: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const chart = init(place.current, undefined, { renderer: 'svg' });
    const values = lines.flat().map((p) => p.value);
    const spread = Math.max(...values) - Math.min(...values) || 1;
    chart.setOption({
      animation: false,
      grid: { left: 4, right: 6, top: 6, bottom: 6 },
      xAxis: { type: 'time', show: false },
      yAxis: { type: 'value', show: false, min: Math.min(...values) - spread * 0.15, max: Math.max(...values) + spread * 0.15 },
      series: lines.map((points) => ({
        type: 'line', symbol: 'circle', symbolSize: 5, silent: true, lineStyle: { color: colour, width: 2 }, itemStyle: { color: colour },
        data: points.map((p) => [p.at, p.value]),
      })),
    });
    const watch = new ResizeObserver(() => chart.resize());
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      chart.dispose();
    };
  }, [lines, colour]);
  return <div ref={place} className="c-spark" aria-hidden />;
}

function Vital({ name, lines }: { name: string; lines: Point[][] }) {
  const { t } = useTranslation();
  const dark = useComputedColorScheme('light') === 'dark';
  const last = lines.map((points) => points[points.length - 1]).filter((p): p is Point => p !== undefined);
  const head = last[0];
  if (!head) return null;
  const unit = units.includes(head.unit) ? t(`unit.${head.unit}`) : head.unit;
  return (
    <div className="c-vital">
      <Text size="sm" c="dimmed">{name}</Text>
      <div className="c-value">{last.map((p) => formatNumber(p.value, language())).join('/')} <span className="y-small" style={{ fontWeight: 400 }}>{unit}</span></div>
      <Text size="xs" c="dimmed">{formatDate(head.at)}</Text>
      {(lines[0]?.length ?? 0) > 1 && <Spark lines={lines} colour={dark ? '#6cc4ae' : '#0b6e5b'} />}
    </div>
  );
}

/** Vitals are small multiples, each with its last value; the numbers stand in text, the line is for the eye. */
export function Vitals({ series }: { series: Series }) {
  const { t } = useTranslation();
  const some = Object.values(series).some((p) => p.length > 0);
  if (!some) return <Text c="dimmed">{t('record.noVitals')}</Text>;
  return (
    <div className="c-vitals">
      {series.systolic && <Vital name={t('vital.bloodPressure')} lines={[series.systolic, ...(series.diastolic ? [series.diastolic] : [])]} />}
      {shown.map((k) => series[k] && <Vital key={k} name={t(`vital.${k}`)} lines={[series[k]]} />)}
    </div>
  );
}
