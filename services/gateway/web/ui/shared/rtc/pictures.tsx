import './rtc.css';
import { IconCameraOff, IconMicrophone, IconMicrophoneOff, IconScreenShare, IconScreenShareOff, IconVideo, IconVideoOff, IconVolume } from '@tabler/icons-react';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Initials } from '../ui/person';
import type { Call, Room } from './call';
import type { Member, Source } from './protocol';

// Plays tracks in one element. Browsers may refuse sound before the first touch; then a button asks for it.
function Player({ tracks, off, muted, testid, label }: { tracks: MediaStreamTrack[]; off?: boolean; muted?: boolean; testid?: string; label: string }) {
  const { t } = useTranslation('shared');
  const element = useRef<HTMLVideoElement>(null);
  const [refused, refuse] = useState(false);
  const key = tracks.map((x) => x.id).join();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the tracks' ids say when the stream changes
  const stream = useMemo(() => new MediaStream(tracks), [key]);
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    video.srcObject = stream;
    video.play().catch((error) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') refuse(true);
    });
  }, [stream]);
  return (
    <>
      {/* eslint-disable-next-line jsx-a11y/media-has-caption -- live speech has no captions; the chat stands beside it */}
      <video ref={element} autoPlay playsInline muted={muted ?? false} aria-label={label} data-testid={testid} data-off={off || undefined} />
      {refused && (
        <button type="button" className="r-control" style={{ zIndex: 3, position: 'relative' }} onClick={() => { refuse(false); void element.current?.play(); }}>
          <IconVolume aria-hidden />{t('call.device.microphone')}
        </button>
      )}
    </>
  );
}

function condition(member: Member, room: Room): string {
  if (!member.present) return 'call.reconnecting';
  if (room.silent.includes(`${member.seat}/camera`) && !member.videoMuted) return 'call.silent';
  return `call.quality.${room.heard[member.seat] ?? 'good'}`;
}

function Tile({ member, room }: { member: Member; room: Room }) {
  const { t } = useTranslation('shared');
  const own = room.tracks[member.seat] ?? {};
  const tracks = [own.camera, own.microphone].filter((x): x is MediaStreamTrack => x !== undefined);
  const dark = !own.camera || member.videoMuted || !member.present;
  return (
    <div className="r-tile">
      {tracks.length > 0 && <Player tracks={tracks} off={dark} testid="remote-video" label={member.name} />}
      {dark && <Initials name={member.name} size={96} />}
      <div className="r-name">
        <strong>{member.name}</strong>
        <span>{t(`call.role.${member.role}`)}</span>
        {member.audioMuted && <span><IconMicrophoneOff size={14} aria-hidden /> {t('call.micOffShort')}</span>}
        {member.videoMuted && <span><IconCameraOff size={14} aria-hidden /> {t('call.camOffShort')}</span>}
        <span>{t(condition(member, room))}</span>
      </div>
    </div>
  );
}

/** Stage shows the others, large: a shared screen first, then each person. */
export function Stage({ room, waiting }: { room: Room; waiting?: ReactNode }) {
  const { t } = useTranslation('shared');
  const others = room.members.filter((m) => m.seat && m.seat !== room.seat);
  const screens = others.flatMap((m) => {
    const track = room.tracks[m.seat]?.['screen' satisfies Source];
    return track && m.screen ? [{ member: m, track }] : [];
  });
  const count = others.length + screens.length;
  return (
    <div className="r-stage" data-count={count} data-many={count > 2 || undefined} data-screen={screens.length > 0 || undefined}>
      {screens.map(({ member, track }) => (
        <div className="r-tile" key={`screen-${member.seat}`}>
          <Player tracks={[track]} muted label={t('call.screenOf', { name: member.name })} />
          <div className="r-name">{t('call.screenOf', { name: member.name })}</div>
        </div>
      ))}
      {others.map((m) => <Tile key={m.seat} member={m} room={room} />)}
      {count === 0 && <div className="r-tile" role="status"><span style={{ padding: 24, textAlign: 'center' }}>{waiting ?? t('call.waitingFor')}</span></div>}
    </div>
  );
}

/** SelfView is one's own picture, small and mirrored, with the state of the own line. */
export function SelfView({ room }: { room: Room }) {
  const { t } = useTranslation('shared');
  // What was measured before the line broke is no longer true.
  const line = room.phase === 'reconnecting' ? t('call.reconnecting') : room.quality && t(`call.quality.${room.quality}`);
  return (
    <figure className="r-mine">
      <div className="r-self">
        {room.camera && room.camOn ? <Player tracks={[room.camera]} muted label={t('call.device.preview')} /> : <IconVideoOff aria-hidden size={32} />}
      </div>
      <figcaption><strong>{t('call.you')}</strong>{line && <span>{line}</span>}</figcaption>
    </figure>
  );
}

/** Control is a button with an icon and a word. */
export function Control({ icon, label, off, on, end, news, onClick, hint, testid, pressed }: {
  icon: ReactNode; label: string; off?: boolean; on?: boolean; end?: boolean; news?: boolean; onClick: () => void; hint?: string; testid?: string; pressed?: boolean;
}) {
  return (
    <button type="button" className="r-control" data-off={off || undefined} data-on={on || undefined} data-end={end || undefined} data-news={news || undefined} aria-pressed={pressed} title={hint} onClick={onClick} data-testid={testid}>
      {icon}{label}
    </button>
  );
}

/** DeviceControls: microphone, camera, and screen where the browser can share one. */
export function DeviceControls({ call, room, share }: { call: Call | undefined; room: Room; share?: boolean }) {
  const { t } = useTranslation('shared');
  const canShare = share && 'getDisplayMedia' in (navigator.mediaDevices ?? {});
  return (
    <>
      <Control icon={room.micOn ? <IconMicrophone aria-hidden /> : <IconMicrophoneOff aria-hidden />} label={room.micOn ? t('call.mic') : t('call.micOffShort')} off={!room.micOn} pressed={room.micOn}
        hint={room.micOn ? t('call.micOn') : t('call.micOff')} onClick={() => call?.setMic(!room.micOn)} />
      <Control icon={room.camOn ? <IconVideo aria-hidden /> : <IconVideoOff aria-hidden />} label={room.camOn ? t('call.cam') : t('call.camOffShort')} off={!room.camOn} pressed={room.camOn}
        hint={room.camOn ? t('call.camOn') : t('call.camOff')} onClick={() => call?.setCam(!room.camOn)} />
      {canShare && (
        <Control icon={room.screen ? <IconScreenShareOff aria-hidden /> : <IconScreenShare aria-hidden />} label={room.screen ? t('call.unshare') : t('call.share')} on={!!room.screen} pressed={!!room.screen}
          onClick={() => void call?.share(!room.screen)} />
      )}
    </>
  );
}

/** LineState says how the line is, when it is not simply good. */
export function LineState({ room }: { room: Room }) {
  const { t } = useTranslation('shared');
  const words = room.phase === 'connecting' || room.phase === 'reconnecting' ? t(`call.state.${room.phase}`)
    : room.quality === 'poor' || room.quality === 'lost' ? `${t('call.you')}: ${t(`call.quality.${room.quality}`)}` : '';
  return (
    <div role="status">
      {words && <div className="y-line" data-tone="due">{words}</div>}
      {room.problem && <div className="y-line" data-tone="due">{t(`call.device.${room.problem}`)}</div>}
    </div>
  );
}
