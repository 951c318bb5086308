import { useLive } from '@shared/rtc/live';
import { type Consultation, consults } from '@shared/services';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMe } from '@shared/who';

/** Today is my own day and what I was invited to. */
export interface Today { waiting: Consultation[]; booked: Consultation[]; active: Consultation[]; ended: Consultation[]; invited: Consultation[] }

/** useToday reads the day; useTodayLive keeps it fresh. */
export function useToday() {
  const me = useMe();
  return useQuery<Today>({
    queryKey: ['today'],
    queryFn: async () => {
      // A nurse has no queue of her own, only invitations.
      const own = me.roles.some((r) => r === 'doctor' || r === 'specialist');
      const [day, mine] = await Promise.all([
        own ? consults.queue() : undefined,
        consults.list({ status: ['booked', 'waiting', 'active'], limit: 50 }),
      ]);
      return {
        waiting: day?.waiting ?? [], booked: day?.booked ?? [], active: day?.active ?? [], ended: day?.ended ?? [],
        invited: mine.consultations.filter((c) => c.doctor !== me.id && c.members.some((m) => m.account === me.id)),
      };
    },
    // The live line tells at once; this is for the time when it is broken, and for invitations to others' rooms.
    refetchInterval: 10_000,
  });
}

/** useTodayLive listens to the queue; false while the line is broken. */
export function useTodayLive(): boolean {
  const queries = useQueryClient();
  return useLive(undefined, (m) => {
    if (m.type === 'queue' || m.type === 'ready') void queries.invalidateQueries({ queryKey: ['today'] });
  });
}
