import { formatDateTime, formatTime, isoDay } from '@shared/format';
import { useOnline } from '@shared/ui/online';
import { IconAlertTriangle, IconChevronRight, IconCloudCheck, IconCloudOff, IconCloudUpload } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useOutbox } from './outbox';

/** moment writes the time of today, and the date with it for other days. */
export function moment(at: string): string {
  return isoDay(new Date(at)) === isoDay(new Date()) ? formatTime(at) : formatDateTime(at);
}

/** SyncLine tells the truth about what was entered: "sent" is said only for what the server has acknowledged. */
export function SyncLine() {
  const { t } = useTranslation();
  const { status } = useOutbox();
  const online = useOnline();
  const { waiting = 0, refused = 0, acknowledged } = status ?? {};
  const last = acknowledged ? t('sync.last', { time: moment(acknowledged) }) : '';
  let tone = 'own';
  let icon = <IconCloudCheck size={18} aria-hidden />;
  let text = acknowledged ? t('sync.saved', { time: moment(acknowledged) }) : t('sync.nothing');
  if (refused > 0) {
    tone = 'attention';
    icon = <IconAlertTriangle size={18} aria-hidden />;
    text = [t('sync.refused', { count: refused }), waiting > 0 ? t('sync.waiting', { count: waiting }) : '', last].filter(Boolean).join(' · ');
  } else if (waiting > 0) {
    tone = 'due';
    icon = online ? <IconCloudUpload size={18} aria-hidden /> : <IconCloudOff size={18} aria-hidden />;
    text = [online ? '' : t('sync.offline'), t('sync.waiting', { count: waiting }), last].filter(Boolean).join(' · ');
  } else if (!online) {
    tone = 'due';
    icon = <IconCloudOff size={18} aria-hidden />;
    text = [t('sync.offline'), t('sync.offlineHint')].join(' · ');
  }
  return (
    <div role="status" className="y-no-print">
      <Link to="/outbox" className="s-sync" data-tone={tone} data-testid="sync">
        {icon}<span className="y-grow">{text}</span><IconChevronRight size={16} aria-hidden />
      </Link>
    </div>
  );
}
