import { consults } from '@shared/services';
import { useQuery } from '@tanstack/react-query';

/** useUpcoming lists what is booked, waited for or running, soonest first. */
export function useUpcoming(patient: string) {
  return useQuery({
    queryKey: ['consultations', patient, 'open'],
    queryFn: async () => (await consults.list({ patient, status: ['booked', 'waiting', 'active'], limit: 20 })).consultations
      .sort((a, b) => a.start.localeCompare(b.start)),
    enabled: patient !== '',
    refetchInterval: 30_000,
  });
}
