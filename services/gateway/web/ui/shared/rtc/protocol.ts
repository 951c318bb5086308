// The messages of services/consults/README.md, "Signalling".

export type Source = 'microphone' | 'camera' | 'screen';
export type Quality = 'good' | 'fair' | 'poor' | 'lost';

export interface Member {
  seat: string; account: string; name: string; role: string; present: boolean;
  audio: boolean; video: boolean; screen: boolean; audioMuted: boolean; videoMuted: boolean;
}
export interface ChatMessage { id: string; account: string; name: string; role: string; text: string; at: string }
export interface TrackOf { mid: string; seat: string; source: Source; kind: 'audio' | 'video' }

export type ToServer =
  | { type: 'offer'; sdp: string; sources: Record<string, Source> }
  | { type: 'answer'; id: number; sdp: string }
  | { type: 'candidate'; pc: 'publish' | 'subscribe'; candidate: RTCIceCandidateInit }
  | { type: 'restart' }
  | { type: 'mute'; kind: 'audio' | 'video'; muted: boolean }
  | { type: 'receive'; video: boolean }
  | { type: 'chat'; id: string; text: string }
  | { type: 'leave' };

export type FromServer =
  | { type: 'hello'; seat: string; resume: string; consultation: string; role: string; iceServers?: RTCIceServer[]; members?: Member[]; chat?: ChatMessage[] }
  | { type: 'members'; members?: Member[] }
  | { type: 'answer'; sdp: string }
  | { type: 'offer'; id: number; sdp: string; tracks?: TrackOf[] }
  | { type: 'chat'; message: ChatMessage }
  | { type: 'quality'; level: Quality }
  | { type: 'silent'; seat: string; source: Source; silent: boolean }
  | { type: 'ended'; reason: 'ended' | 'left' | 'replaced' | 'removed' | 'draining' }
  | { type: 'error'; class: string; message: string };

/** unseen are the lines after the first seen ones that somebody else wrote. */
export function unseen(chat: readonly ChatMessage[], seen: number, own: string | undefined): ChatMessage[] {
  return chat.slice(seen).filter((m) => m.account !== own);
}

/** socketUrl of a path on this origin. */
export function socketUrl(path: string): string {
  return `${window.location.protocol === 'https:' ? 'wss' : 'ws'}://${window.location.host}${path}`;
}

/** backoff is how long to wait before trial n (from 0), in milliseconds: 1, 2, 4 … 30 s. */
export function backoff(n: number): number {
  return Math.min(30_000, 1000 * 2 ** n);
}
