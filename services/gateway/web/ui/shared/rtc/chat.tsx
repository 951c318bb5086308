import { Button, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatTime } from '../format';
import type { Call, Room } from './call';

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
      <form style={{ display: 'flex', gap: 8, padding: '8px 16px 16px', alignItems: 'end', flexWrap: 'wrap' }}
        onSubmit={(e) => {
          e.preventDefault();
          if (!text.trim()) return;
          call?.say(text.trim());
          setText('');
        }}>
        <TextInput className="y-grow" label={t('call.message')} value={text} maxLength={4000} onChange={(e) => setText(e.currentTarget.value)} autoComplete="off" />
        <Button type="submit">{t('call.send')}</Button>
        <Button variant="default" onClick={onClose}>{t('call.hideChat')}</Button>
      </form>
    </section>
  );
}
