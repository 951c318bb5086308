import { useTell } from '@shared/ui/toasts';
import { useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';

/** useKept leads back to the person and says truly where the entry is now: on the server, or still on this device. */
export function useKept(patient: string): (state: 'sent' | 'waiting', text: string) => void {
  const { t } = useTranslation();
  const tell = useTell();
  const navigate = useNavigate();
  return (state, text) => {
    tell(state === 'sent' ? text : t('kept.waiting'));
    void navigate({ to: `/people/${patient}` });
  };
}
