import { IconCloudOff } from '@tabler/icons-react';
import { useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';

function subscribe(changed: () => void): () => void {
  window.addEventListener('online', changed);
  window.addEventListener('offline', changed);
  return () => {
    window.removeEventListener('online', changed);
    window.removeEventListener('offline', changed);
  };
}

/** useOnline follows the device's connection. */
export function useOnline(): boolean {
  return useSyncExternalStore(subscribe, () => navigator.onLine);
}

/** OnlineLine appears while there is no network and says what that means. */
export function OnlineLine() {
  const { t } = useTranslation('shared');
  const online = useOnline();
  return (
    <div role="status" className="y-no-print">
      {!online && <div className="y-line" data-tone="due"><IconCloudOff size={18} aria-hidden /> {t('offline')}</div>}
    </div>
  );
}
