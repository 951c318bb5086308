import { useQuery } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext } from 'react';
import { access, type Account } from './services';
import { ErrorNote, Skeleton } from './ui/states';

const Me = createContext<Account | undefined>(undefined);

/** useMe is the signed-in account; available everywhere below startApp. */
export function useMe(): Account {
  const me = useContext(Me);
  if (!me) throw new Error('useMe outside of WhoIAm');
  return me;
}

/** WhoIAm loads the account before anything else is drawn. */
export function WhoIAm({ children }: { children: ReactNode }) {
  const me = useQuery({ queryKey: ['me'], queryFn: () => access.me(), staleTime: Number.POSITIVE_INFINITY });
  if (me.data) return <Me.Provider value={me.data}>{children}</Me.Provider>;
  if (me.error) return <main style={{ padding: 16 }}><ErrorNote error={me.error} onRetry={() => void me.refetch()} /></main>;
  return <main style={{ padding: 16 }}><Skeleton lines={4} /></main>;
}
