import { useQuery } from '@tanstack/react-query';
import { fhir } from '../api';
import { type Reference, nameOf, type Patient } from '../fhir';

/** RefName writes what a reference points to: its own display, else the name found in records. */
export function RefName({ reference, otherwise = '' }: { reference: Reference | undefined; otherwise?: string }) {
  const path = reference?.reference ?? '';
  const known = /^(Organization|Practitioner|Location)\/[A-Za-z0-9.-]{1,64}$/.test(path);
  const found = useQuery({
    queryKey: ['reference', path],
    queryFn: () => fhir<{ name?: string | Patient['name'] }>(path),
    enabled: known && !reference?.display,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (reference?.display) return <>{reference.display}</>;
  const name = found.data?.name;
  return <>{(typeof name === 'string' ? name : nameOf({ resourceType: '', id: '', name: name ?? [] })) || otherwise}</>;
}
