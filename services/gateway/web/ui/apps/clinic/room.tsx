import { Button, Group, Modal, Text } from '@mantine/core';
import { Chat, ChatControl } from '@shared/rtc/chat';
import { Control, DeviceControls, LineState, SelfView, Stage } from '@shared/rtc/pictures';
import { useCall } from '@shared/rtc/use';
import { type Consultation, consults } from '@shared/services';
import { Initials } from '@shared/ui/person';
import { Empty, ErrorNote, View } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { useMe } from '@shared/who';
import { IconPhoneOff, IconUserPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

function Invite({ consultation, onDone }: { consultation: Consultation; onDone: () => void }) {
  const { t } = useTranslation();
  const me = useMe();
  const tell = useTell();
  const queries = useQueryClient();
  const people = useQuery({ queryKey: ['doctors'], queryFn: async () => (await consults.listDoctors()).doctors });
  const invite = useMutation({
    mutationFn: (account: string) => consults.invite({ id: consultation.id, account }),
    onSuccess: (now) => {
      queries.setQueryData(['consultation', now.id], now);
      tell(t('invite.done'));
      onDone();
    },
  });
  return (
    <>
      <View query={people}>
        {(all) => {
          const others = all.filter((d) => d.id !== me.id);
          return others.length === 0 ? <Empty title={t('invite.none')} hint={t('invite.noneHint')} /> : (
            <div className="y-sheet y-lines">
              {others.map((d) => {
                const here = consultation.members.some((m) => m.account === d.id);
                return (
                  <div key={d.id} className="y-row">
                    <Initials name={d.name} size={40} />
                    <span className="y-grow"><strong>{d.name}</strong><br /><span className="y-quiet y-small">{[d.specialty, d.facilityName].filter(Boolean).join(' · ')}</span></span>
                    <Button size="sm" variant="light" disabled={here} loading={invite.isPending && invite.variables === d.id} onClick={() => invite.mutate(d.id)}>{here ? t('invite.already') : t('call.invite')}</Button>
                  </div>
                );
              })}
            </div>
          );
        }}
      </View>
      {invite.error && <ErrorNote error={invite.error} inline />}
    </>
  );
}

/** Room is the picture with its controls; own is the consultation's doctor, who may invite and end. */
export function Room({ consultation, own }: { consultation: Consultation; own: boolean }) {
  const { t } = useTranslation();
  const { call, room } = useCall(consultation.id);
  const queries = useQueryClient();
  const router = useRouter();
  const [chatting, chat] = useState(false);
  const [inviting, invite] = useState(false);
  const [ending, ask] = useState(false);
  const end = useMutation({
    mutationFn: () => consults.end({ id: consultation.id }),
    onSuccess: (now) => {
      queries.setQueryData(['consultation', now.id], now);
      void queries.invalidateQueries({ queryKey: ['today'] });
    },
  });
  const unsigned = !consultation.note && consultation.draft.trim() !== '';
  if (room.phase === 'failed' || room.phase === 'replaced') {
    return (
      <div className="y-sheet" style={{ padding: 16 }}>
        {room.phase === 'failed' ? <ErrorNote error={room.error} inline /> : <Text>{t('call.state.replaced')}</Text>}
        <Button mt="sm" onClick={() => void call?.retry()}>{t('desk.reenter')}</Button>
      </div>
    );
  }
  return (
    <>
      <LineState room={room} />
      <div className="c-scene">
        <div className="c-picture"><Stage room={room} waiting={t('desk.waitingPatient')} /></div>
        {chatting && <div className="y-sheet c-chat"><Chat call={call} room={room} onClose={() => chat(false)} /></div>}
      </div>
      <div className="c-foot">
        <SelfView room={room} />
        <div className="r-controls">
          <DeviceControls call={call} room={room} share />
          <ChatControl room={room} open={chatting} onToggle={() => chat(!chatting)} />
          {own && <Control icon={<IconUserPlus aria-hidden />} label={t('call.invite')} onClick={() => invite(true)} />}
          {own
            ? <Control icon={<IconPhoneOff aria-hidden />} label={t('call.end')} end testid="end-call" onClick={() => { if (unsigned) ask(true); else end.mutate(); }} />
            : <Control icon={<IconPhoneOff aria-hidden />} label={t('call.leave')} end onClick={() => { call?.leave(); void router.navigate({ to: '/' }); }} />}
        </div>
      </div>
      {ending && (
        <div className="y-sheet" style={{ padding: 12 }} role="alert">
          <Text fw={600}>{t('desk.unsigned')}</Text>
          <Group mt="xs">
            <Button color="red" data-testid="end-confirm" loading={end.isPending} onClick={() => end.mutate()}>{t('desk.endAnyway')}</Button>
            <Button variant="default" onClick={() => ask(false)}>{t('desk.stay')}</Button>
          </Group>
        </div>
      )}
      {end.error && <ErrorNote error={end.error} inline />}
      {/* It stays, closed: then the focus goes back to the button that opened it. */}
      <Modal opened={inviting} onClose={() => invite(false)} title={t('invite.title')} closeButtonProps={{ 'aria-label': t('close') }}>
        <Invite consultation={consultation} onDone={() => invite(false)} />
      </Modal>
    </>
  );
}
