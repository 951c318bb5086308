import './rtc.css';
import { NativeSelect, Stack, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listDevices, listen, type MediaProblem, open, openBoth, problemOf, remember } from './devices';

function Level({ track }: { track: MediaStreamTrack }) {
  const { t } = useTranslation('shared');
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => listen(track, (level) => {
    if (bar.current) bar.current.style.transform = `scaleX(${level})`;
  }), [track]);
  return <div><Text size="sm">{t('call.device.level')}</Text><div className="r-level" aria-hidden><div ref={bar} style={{ transform: 'scaleX(0)' }} /></div></div>;
}

/** Preview lets one see oneself, hear that the microphone works, and choose devices; what is chosen is remembered for the call. */
export function Preview() {
  const { t } = useTranslation('shared');
  const video = useRef<HTMLVideoElement>(null);
  const [camera, setCamera] = useState<MediaStreamTrack>();
  const [microphone, setMicrophone] = useState<MediaStreamTrack>();
  const [problem, setProblem] = useState<MediaProblem>();
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  const opened = useRef<MediaStreamTrack[]>([]);
  useEffect(() => {
    let live = true;
    void openBoth().then(async (got) => {
      if (!live) {
        for (const track of got.tracks) track.stop();
        return;
      }
      opened.current = got.tracks;
      setProblem(got.problem);
      setCamera(got.tracks.find((x) => x.kind === 'video'));
      setMicrophone(got.tracks.find((x) => x.kind === 'audio'));
      setDevices(await listDevices());
    });
    return () => {
      live = false;
      for (const track of opened.current) track.stop();
    };
  }, []);
  useEffect(() => {
    if (video.current && camera) video.current.srcObject = new MediaStream([camera]);
  }, [camera]);
  const choose = async (kind: 'audio' | 'video', id: string) => {
    try {
      const track = await open(kind, id);
      remember(kind, id);
      const before = kind === 'video' ? camera : microphone;
      before?.stop();
      opened.current = [...opened.current.filter((x) => x !== before), track];
      if (kind === 'video') setCamera(track);
      else setMicrophone(track);
      setProblem(undefined);
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  const named = (kind: MediaDeviceKind) => devices.filter((d) => d.kind === kind && d.deviceId).map((d, i) => ({ value: d.deviceId, label: d.label || t('call.device.number', { n: i + 1 }) }));
  return (
    <Stack gap="sm">
      {problem && <Text role="alert" c="var(--lotus)">{t(`call.device.${problem}`)}</Text>}
      {camera && <div className="r-self"><video ref={video} autoPlay playsInline muted aria-label={t('call.device.preview')} /></div>}
      {microphone && <Level track={microphone} />}
      {named('videoinput').length > 1 && (
        <NativeSelect label={t('call.device.camera')} data={named('videoinput')} value={camera?.getSettings().deviceId ?? ''} onChange={(e) => void choose('video', e.currentTarget.value)} />
      )}
      {named('audioinput').length > 1 && (
        <NativeSelect label={t('call.device.microphone')} data={named('audioinput')} value={microphone?.getSettings().deviceId ?? ''} onChange={(e) => void choose('audio', e.currentTarget.value)} />
      )}
    </Stack>
  );
}
