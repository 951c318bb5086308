import { stations, type Person } from '@shared/services';
import { PersonLine } from '@shared/ui/person';
import { useDebouncedValue } from '@mantine/hooks';
import { IconChevronRight } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { readSearch } from './typed';

/** usePeople finds people while the nurse types: by name without marks, birth year, phone or number. */
export function usePeople(typed: string, more: { birthDate?: string; gender?: string } = {}) {
  const asked = { ...readSearch(typed), ...(more.birthDate && { birthDate: more.birthDate }), ...(more.gender && { gender: more.gender }) };
  const [request] = useDebouncedValue(JSON.stringify(asked), 300);
  const parsed = JSON.parse(request) as { query?: string; birthDate?: string };
  return useQuery({
    queryKey: ['station', 'people', request],
    queryFn: ({ signal }) => stations.findPeople({ ...parsed, limit: 20 }, { signal }),
    enabled: (parsed.query ?? '').length >= 2 || parsed.birthDate !== undefined,
    placeholderData: keepPreviousData,
  });
}

/** PersonText is a person's name with what tells them apart from others. */
export function PersonText({ person, children }: { person: Person; children?: ReactNode }) {
  return (
    <span className="y-grow">
      <span style={{ fontWeight: 600, display: 'block' }}>{person.name}</span>
      <span className="y-small" style={{ display: 'block' }}><PersonLine birthDate={person.birthDate} gender={person.gender} /></span>
      <span className="y-quiet y-small" style={{ display: 'block' }}>{[person.address, person.phone].filter(Boolean).join(' · ')}</span>
      {children}
    </span>
  );
}

/** PeopleList lists people; each leads to their page. */
export function PeopleList({ people, testid, reasons }: { people: Person[]; testid?: string; reasons?: boolean }) {
  const { t } = useTranslation();
  return (
    <ul className="y-sheet y-lines" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
      {people.map((p) => (
        <li key={p.patient} data-testid={testid}>
          <Link className="y-row" to={`/people/${p.patient}`}>
            <PersonText person={p}>
              {reasons && p.reasons.length > 0 && <span className="y-small" style={{ color: 'var(--lotus)', display: 'block' }}>{t('people.same', { reasons: p.reasons.join(', ') })}</span>}
            </PersonText>
            <IconChevronRight aria-hidden size={20} color="var(--quiet)" />
          </Link>
        </li>
      ))}
    </ul>
  );
}
