import { useMe } from '@shared/who';
import { createContext, type ReactNode, useContext, useMemo, useState } from 'react';

/** Subject is whose booklet is open: one's own, or a child's or parent's. */
export interface Subject { patient: string; name: string }

interface Subjects { subject: Subject; all: Subject[]; open: (patient: string) => void }

const kept = 'yba.patient.subject';
const Context = createContext<Subjects | undefined>(undefined);

/** SubjectProvider remembers for this tab whose booklet is open. */
export function SubjectProvider({ children }: { children: ReactNode }) {
  const me = useMe();
  const [chosen, choose] = useState(() => sessionStorage.getItem(kept) ?? '');
  const value = useMemo<Subjects>(() => {
    const own = me.patient ? [{ patient: me.patient, name: me.name }] : [];
    const wards = (me.wards ?? []).map((w) => ({ patient: w.patient, name: w.name }));
    const all = [...own, ...wards];
    return {
      all,
      subject: all.find((s) => s.patient === chosen) ?? all[0] ?? { patient: '', name: me.name },
      open: (patient) => {
        sessionStorage.setItem(kept, patient);
        choose(patient);
      },
    };
  }, [me, chosen]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** useSubject tells whose booklet is open, and who else's can be. */
export function useSubject(): Subjects {
  const value = useContext(Context);
  if (!value) throw new Error('useSubject outside of SubjectProvider');
  return value;
}
