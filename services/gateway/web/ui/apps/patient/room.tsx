import '@shared/styles-forms.css';
import './room.css';
import { Button, Stack, Text } from '@mantine/core';
import { Chat, ChatControl } from '@shared/rtc/chat';
import { Control, DeviceControls, LineState, SelfView, Stage } from '@shared/rtc/pictures';
import { useCall } from '@shared/rtc/use';
import { PageTitle } from '@shared/ui/page';
import { ErrorNote } from '@shared/ui/states';
import { IconDoorExit } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useParams, useRouter } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConsultation } from './consultation';

/** Room is the consultation itself: the doctor large, oneself small, words beneath. */
export function Room() {
  const { t } = useTranslation();
  const { id = '' } = useParams({ strict: false });
  const { call, room } = useCall(id);
  const router = useRouter();
  const queries = useQueryClient();
  const [chatting, chat] = useState(false);
  const consultation = useConsultation(id);
  const over = room.phase === 'ended';
  useEffect(() => {
    if (over) void queries.invalidateQueries();
  }, [over, queries]);
  if (over) {
    const encounter = consultation.data?.encounter;
    return (
      <div className="p-page">
        <PageTitle title={t('room.ended')} hint={t('room.endedHint')} />
        <Stack>
          {encounter && <Button component={Link} to={`/booklet/visits/${encounter}`} size="lg">{t('room.outcome')}</Button>}
          <Button component={Link} to="/" variant="default">{t('room.home')}</Button>
        </Stack>
      </div>
    );
  }
  if (room.phase === 'failed' || room.phase === 'replaced') {
    return (
      <div className="p-page">
        <PageTitle title={t('room.title')} back={`/consultation/${id}/waiting`} />
        {room.phase === 'failed' ? <ErrorNote error={room.error} /> : <Text>{t('call.state.replaced')}</Text>}
        <Button mt="md" onClick={() => void call?.retry()}>{t('room.retry')}</Button>
      </div>
    );
  }
  return (
    <div className="p-room">
      <h1 style={{ position: 'absolute', clipPath: 'inset(50%)' }}>{t('room.title')}</h1>
      <LineState room={room} />
      <div className="p-picture">
        <Stage room={room} />
        <div className="p-self"><SelfView room={room} /></div>
      </div>
      {chatting && <div className="y-sheet p-chat"><Chat call={call} room={room} onClose={() => chat(false)} /></div>}
      <div className="r-controls">
        <DeviceControls call={call} room={room} />
        <ChatControl room={room} open={chatting} onToggle={() => chat(!chatting)} />
        <Control icon={<IconDoorExit aria-hidden />} label={t('call.leave')} end onClick={() => { call?.leave(); void router.navigate({ to: `/consultation/${id}` }); }} />
      </div>
    </div>
  );
}
