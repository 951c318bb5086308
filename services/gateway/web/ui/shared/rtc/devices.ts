/** MediaProblem says why camera and microphone could not be opened. */
export type MediaProblem = 'denied' | 'missing' | 'busy';

/** problemOf reads the reason out of getUserMedia's error (https://w3c.github.io/mediacapture-main/#methods-5). */
export function problemOf(error: unknown): MediaProblem {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return 'missing';
}

const cameraKept = 'yba.camera';
const microphoneKept = 'yba.microphone';

// What a rural line carries and a face needs.
const picture = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 } };

/** remember keeps the chosen device for the next call on this machine. */
export function remember(kind: 'audio' | 'video', deviceId: string): void {
  localStorage.setItem(kind === 'video' ? cameraKept : microphoneKept, deviceId);
}

/** open asks for one kind of device: the one given, the one chosen before, or any. */
export async function open(kind: 'audio' | 'video', deviceId?: string): Promise<MediaStreamTrack> {
  const id = deviceId ?? localStorage.getItem(kind === 'video' ? cameraKept : microphoneKept) ?? '';
  const wanted = kind === 'video'
    ? { ...picture, ...(id ? { deviceId: { ideal: id } } : {}) }
    : { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(id ? { deviceId: { ideal: id } } : {}) };
  const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wanted });
  const track = stream.getTracks()[0];
  if (!track) throw new DOMException('no track', 'NotFoundError');
  return track;
}

/** Opened is what could be opened; a machine without a camera still has a voice. */
export interface Opened { tracks: MediaStreamTrack[]; problem: MediaProblem | undefined }

/** openBoth asks for camera and microphone at once, then for each alone. */
export async function openBoth(): Promise<Opened> {
  const camera = localStorage.getItem(cameraKept);
  const microphone = localStorage.getItem(microphoneKept);
  if (!navigator.mediaDevices) return { tracks: [], problem: 'denied' };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { ...picture, ...(camera ? { deviceId: { ideal: camera } } : {}) },
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(microphone ? { deviceId: { ideal: microphone } } : {}) },
    });
    return { tracks: stream.getTracks(), problem: undefined };
  } catch (error) {
    const problem = problemOf(error);
    if (problem === 'denied') return { tracks: [], problem };
    const each = await Promise.allSettled([open('audio'), open('video')]);
    return { tracks: each.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : [])), problem };
  }
}

/** listDevices names cameras and microphones; names come only after permission. */
export async function listDevices(): Promise<MediaDeviceInfo[]> {
  return (await navigator.mediaDevices?.enumerateDevices()) ?? [];
}

/** listen calls heard with the loudness of track, 0 to 1, about 15 times a second, until the answer is called. */
export function listen(track: MediaStreamTrack, heard: (level: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, s) => sum + s * s, 0) / samples.length;
    heard(Math.min(1, Math.sqrt(power) * 4));
  }, 66);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
