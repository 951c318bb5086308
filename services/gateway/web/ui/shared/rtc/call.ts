import { ApiError } from '../api';
import { consults } from '../services';
import { open as openDevice, openBoth, remember, type MediaProblem } from './devices';
import { Peers } from './peers';
import { backoff, type ChatMessage, type FromServer, type Member, type Quality, type Source, socketUrl, type ToServer } from './protocol';

/** Phase of being in a room. */
export type Phase = 'connecting' | 'in' | 'reconnecting' | 'ended' | 'replaced' | 'failed';

/** Room is what the screen draws; a new object after every change. */
export interface Room {
  phase: Phase;
  error: unknown;
  seat: string;
  members: Member[];
  chat: ChatMessage[];
  /** Whether my own line carries picture and voice. */
  quality: Quality | undefined;
  /** How well each seat's packets arrive here. */
  heard: Readonly<Record<string, Quality>>;
  /** Received tracks: seat, then source. */
  tracks: Readonly<Record<string, Partial<Record<Source, MediaStreamTrack>>>>;
  /** "seat/source" of tracks from which nothing arrives. */
  silent: readonly string[];
  camera: MediaStreamTrack | undefined;
  microphone: MediaStreamTrack | undefined;
  screen: MediaStreamTrack | undefined;
  micOn: boolean;
  camOn: boolean;
  problem: MediaProblem | undefined;
}

const keptAt = (consultation: string) => `yba.resume.${consultation}`;

/**
 * Call holds one seat in one room: the signalling socket, the two peer
 * connections and the local devices. A broken line is mended with the resume
 * token, which survives a reload of the page in sessionStorage.
 */
export class Call {
  private room: Room = {
    phase: 'connecting', error: undefined, seat: '', members: [], chat: [], quality: undefined, heard: {}, tracks: {}, silent: [],
    camera: undefined, microphone: undefined, screen: undefined, micOn: true, camOn: true, problem: undefined,
  };
  private readonly listeners = new Set<() => void>();
  private socket: WebSocket | undefined;
  private peers: Peers | undefined;
  private trials = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private readonly unacknowledged = new Map<string, string>();

  constructor(private readonly consultation: string) {}

  readonly subscribe = (changed: () => void): (() => void) => {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  };

  readonly snapshot = (): Room => this.room;

  /** start opens the devices and takes the seat. */
  async start(): Promise<void> {
    const { tracks, problem } = await openBoth();
    if (this.closed) {
      for (const t of tracks) t.stop();
      return;
    }
    this.change({
      problem,
      camera: tracks.find((t) => t.kind === 'video'),
      microphone: tracks.find((t) => t.kind === 'audio'),
    });
    window.addEventListener('online', this.again);
    await this.connect();
  }

  /** close lets the seat go without leaving: a reload or a way back takes it again. */
  close(): void {
    this.closed = true;
    window.removeEventListener('online', this.again);
    clearTimeout(this.timer);
    this.peers?.close();
    this.socket?.close();
    for (const t of [this.room.camera, this.room.microphone, this.room.screen]) t?.stop();
  }

  /** leave goes on purpose: the seat and its resume token end. */
  leave(): void {
    this.send({ type: 'leave' });
    sessionStorage.removeItem(keptAt(this.consultation));
    this.close();
  }

  /** retry enters again after a failure, or takes the room back from another window. */
  async retry(): Promise<void> {
    this.trials = 0;
    this.change({ phase: 'connecting', error: undefined });
    await this.connect();
  }

  setMic(on: boolean): void {
    if (this.room.microphone) this.room.microphone.enabled = on;
    this.send({ type: 'mute', kind: 'audio', muted: !on });
    this.change({ micOn: on });
  }

  setCam(on: boolean): void {
    if (this.room.camera) this.room.camera.enabled = on;
    this.send({ type: 'mute', kind: 'video', muted: !on });
    this.change({ camOn: on });
  }

  /** share shows this screen to the others, or stops it. A dialog that was closed changes nothing. */
  async share(on: boolean): Promise<void> {
    const now = this.room.screen;
    if (!on) {
      if (now) {
        now.stop();
        this.change({ screen: undefined });
        this.peers?.withdraw(now);
      }
      return;
    }
    let track: MediaStreamTrack | undefined;
    try {
      track = (await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } })).getVideoTracks()[0];
    } catch {
      return;
    }
    if (!track) return;
    track.contentHint = 'detail';
    track.onended = () => void this.share(false);
    this.change({ screen: track });
    this.peers?.publish(track, 'screen');
  }

  /** use changes the camera or microphone during the call. */
  async use(kind: 'audio' | 'video', deviceId: string): Promise<void> {
    const track = await openDevice(kind, deviceId);
    remember(kind, deviceId);
    const before = kind === 'video' ? this.room.camera : this.room.microphone;
    track.enabled = kind === 'video' ? this.room.camOn : this.room.micOn;
    this.change(kind === 'video' ? { camera: track } : { microphone: track });
    if (before) {
      await this.peers?.replace(before, track);
      before.stop();
    } else {
      this.peers?.publish(track, kind === 'video' ? 'camera' : 'microphone');
    }
  }

  say(text: string): void {
    const id = crypto.randomUUID();
    this.unacknowledged.set(id, text);
    this.send({ type: 'chat', id, text });
  }

  private change(part: Partial<Room>): void {
    this.room = { ...this.room, ...part };
    for (const l of this.listeners) l();
  }

  private send(message: ToServer): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private readonly again = (): void => {
    if (this.room.phase !== 'reconnecting') return;
    clearTimeout(this.timer);
    void this.connect();
  };

  private async connect(): Promise<void> {
    if (this.closed) return;
    const resume = sessionStorage.getItem(keptAt(this.consultation));
    let query: string;
    if (resume) {
      // It works once; hello brings the next.
      sessionStorage.removeItem(keptAt(this.consultation));
      query = `resume=${encodeURIComponent(resume)}`;
    } else {
      try {
        query = `seat=${encodeURIComponent((await consults.join({ id: this.consultation })).token)}`;
      } catch (error) {
        if (error instanceof ApiError && ['offline', 'unavailable', 'limited'].includes(error.kind)) this.later();
        else this.change({ phase: 'failed', error });
        return;
      }
    }
    if (this.closed) return;
    this.socket?.close();
    const socket = new WebSocket(socketUrl(`/api/consults/v1/rooms?${query}`));
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket === this.socket) this.hear(JSON.parse(String(data)) as FromServer);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.later();
    };
  }

  private later(): void {
    if (this.closed || ['ended', 'replaced', 'failed'].includes(this.room.phase)) return;
    this.change({ phase: this.room.seat ? 'reconnecting' : 'connecting' });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), this.trials === 0 ? 250 : backoff(this.trials - 1));
    this.trials++;
  }

  private hear(message: FromServer): void {
    switch (message.type) {
      case 'hello':
        this.enter(message);
        break;
      case 'members':
        this.change({ members: message.members ?? [] });
        break;
      case 'answer':
        this.peers?.answered(message.sdp);
        break;
      case 'offer':
        this.peers?.offered(message.id, message.sdp, message.tracks ?? []);
        break;
      case 'chat':
        this.unacknowledged.delete(message.message.id);
        if (!this.room.chat.some((c) => c.id === message.message.id)) this.change({ chat: [...this.room.chat, message.message] });
        break;
      case 'quality':
        this.change({ quality: message.level });
        break;
      case 'silent': {
        const key = `${message.seat}/${message.source}`;
        const others = this.room.silent.filter((s) => s !== key);
        this.change({ silent: message.silent ? [...others, key] : others });
        break;
      }
      case 'ended':
        this.end(message.reason);
        break;
      case 'error':
        // The refused message is lost; the line stands, and the next change is sent anew.
        break;
    }
  }

  private enter(hello: Extract<FromServer, { type: 'hello' }>): void {
    sessionStorage.setItem(keptAt(this.consultation), hello.resume);
    this.trials = 0;
    this.peers?.close();
    this.peers = new Peers(hello.iceServers ?? [], (m) => this.send(m), {
      tracks: (tracks) => this.change({ tracks }),
      heard: (heard) => this.change({ heard }),
      // Connections that two ICE restarts could not mend are made anew.
      lost: () => this.socket?.close(),
    });
    this.change({ phase: 'in', error: undefined, seat: hello.seat, members: hello.members ?? [], chat: hello.chat ?? [], tracks: {}, silent: [], heard: {} });
    const { microphone, camera, screen } = this.room;
    if (microphone) this.peers.publish(microphone, 'microphone');
    if (camera) this.peers.publish(camera, 'camera');
    if (screen) this.peers.publish(screen, 'screen');
    if (!this.room.micOn) this.send({ type: 'mute', kind: 'audio', muted: true });
    if (!this.room.camOn) this.send({ type: 'mute', kind: 'video', muted: true });
    for (const [id, text] of this.unacknowledged) this.send({ type: 'chat', id, text });
  }

  private end(reason: 'ended' | 'left' | 'replaced' | 'removed' | 'draining'): void {
    // Draining: the server restarts, and the socket's end brings us back with the resume token.
    if (reason === 'draining') return;
    sessionStorage.removeItem(keptAt(this.consultation));
    this.change({ phase: reason === 'replaced' ? 'replaced' : 'ended', tracks: {} });
    this.peers?.close();
    this.socket?.close();
    if (reason !== 'replaced') for (const t of [this.room.camera, this.room.microphone, this.room.screen]) t?.stop();
  }
}
