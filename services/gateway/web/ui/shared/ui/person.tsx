import { useTranslation } from 'react-i18next';
import { age, formatDate, initials } from '../format';

/** Initials stands for a person where no photograph is. */
export function Initials({ name, size = 48 }: { name: string; size?: number }) {
  return (
    <span aria-hidden style={{
      display: 'inline-grid', placeItems: 'center', flex: 'none', width: size, height: size, borderRadius: '50%',
      background: 'var(--jade-soft)', color: 'var(--jade)', fontWeight: 600, fontSize: size * 0.36,
    }}>{initials(name)}</span>
  );
}

/** useAge writes an age: "18 tháng" below two years, then "34 tuổi". */
export function useAge(): (birth: string | undefined) => string {
  const { t } = useTranslation('shared');
  return (birth) => {
    const a = age(birth, new Date());
    if (!a) return '';
    const words = t(`age.${a.unit}`, { count: a.count });
    return a.about ? t('age.about', { age: words }) : words;
  };
}

/** PersonLine is "Nữ · 34 tuổi · sinh 02/03/1992". */
export function PersonLine({ birthDate, gender }: { birthDate?: string | undefined; gender?: string | undefined }) {
  const { t } = useTranslation('shared');
  const toAge = useAge();
  const sex = gender === 'male' || gender === 'female' ? t(`gender.${gender}`) : '';
  return <>{[sex, toAge(birthDate), birthDate ? t('born', { date: formatDate(birthDate) }) : ''].filter(Boolean).join(' · ')}</>;
}
