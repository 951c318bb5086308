import { Button, TextInput } from '@mantine/core';
import { IconMessage, IconX } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatTime } from '../format';
import type { Call, Room } from './call';
import { Control } from './pictures';
import { unseen } from './protocol';

/** ChatControl opens the chat, and says how many lines of the others came while it was closed. */
export function ChatControl({ room, open, onToggle }: { room: Room; open: boolean; onToggle: () => void }) {
  const { t } = useTranslation('shared');
  const [seen, see] = useState(0);
  const count = room.chat.length;
  useEffect(() => {
    if (open) see(count);
  }, [open, count]);
  const fresh = open ? [] : unseen(room.chat, seen, room.members.find((m) => m.seat === room.seat)?.account);
  return (
    <>
      <Control icon={<IconMessage aria-hidden />} label={fresh.length ? t('call.chatNew', { count: fresh.length }) : t('call.chat')} on={open} news={fresh.length > 0} pressed={open} testid="chat" onClick={onToggle} />
      <span role="status" className="y-unseen">{fresh.length > 0 && t('call.chatFrom', { name: fresh[fresh.length - 1]?.name })}</span>
    </>
  );
}

/** Chat shows what was written in the room and sends a line. */
export function Chat({ call, room, onClose }: { call: Call | undefined; room: Room; onClose: () => void }) {
  const { t } = useTranslation('shared');
  const [text, setText] = useState('');
  const end = useRef<HTMLLIElement>(null);
  const count = room.chat.length;
  useEffect(() => {
    if (count) end.current?.scrollIntoView({ block: 'nearest' });
  }, [count]);
  return (
    <section className="r-chat" aria-label={t('call.chat')}>
      <div className="r-chathead"><strong className="y-grow">{t('call.chat')}</strong><button type="button" className="y-icon" aria-label={t('call.hideChat')} onClick={onClose}><IconX aria-hidden size={20} /></button></div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      <ol className="r-messages" aria-live="polite" tabIndex={0}>
        {count === 0 && <li className="y-quiet">{t('call.noMessages')}</li>}
        {room.chat.map((m) => (
          <li key={m.id}>
            <span className="y-quiet y-small">{m.name} · {formatTime(m.at)}</span>
            <div style={{ whiteSpace: 'pre-wrap' }}>{m.text}</div>
          </li>
        ))}
        <li ref={end} aria-hidden />
      </ol>
      <form style={{ display: 'flex', gap: 8, padding: '4px 12px 12px', alignItems: 'end' }}
        onSubmit={(e) => {
          e.preventDefault();
          if (!text.trim()) return;
          call?.say(text.trim());
          setText('');
        }}>
        <TextInput className="y-grow" label={t('call.message')} value={text} maxLength={4000} onChange={(e) => setText(e.currentTarget.value)} autoComplete="off" />
        <Button type="submit">{t('call.send')}</Button>
      </form>
    </section>
  );
}
