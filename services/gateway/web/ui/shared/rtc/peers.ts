import type { Quality, Source, ToServer, TrackOf } from './protocol';

type Tracks = Record<string, Partial<Record<Source, MediaStreamTrack>>>;

interface Told {
  tracks: (tracks: Tracks) => void;
  heard: (heard: Record<string, Quality>) => void;
  lost: () => void;
}

// How long a connection may be "disconnected" before ICE starts anew, and how
// long it may then take.
const patience = 3000;
const giveUp = 15_000;

/** Peers is the pair of connections of one socket: publish (we offer) and subscribe (the server offers). */
export class Peers {
  private readonly pub: RTCPeerConnection;
  private readonly sub: RTCPeerConnection;
  private readonly sources = new Map<RTCRtpTransceiver, Source>();
  private tracks: TrackOf[] = [];
  private offering = false;
  private wanted: 'no' | 'offer' | 'restart' = 'no';
  private chain: Promise<void> = Promise.resolve();
  private readonly timers = new Map<RTCPeerConnection, ReturnType<typeof setTimeout>>();
  private readonly meter: ReturnType<typeof setInterval>;
  private counts = new Map<string, { lost: number; received: number }>();
  private over = false;

  constructor(iceServers: RTCIceServer[], private readonly send: (m: ToServer) => void, private readonly told: Told) {
    this.pub = this.make('publish', iceServers);
    this.sub = this.make('subscribe', iceServers);
    this.meter = setInterval(() => void this.measure(), 4000);
  }

  close(): void {
    this.over = true;
    clearInterval(this.meter);
    for (const t of this.timers.values()) clearTimeout(t);
    this.pub.close();
    this.sub.close();
  }

  /** publish adds a local track. */
  publish(track: MediaStreamTrack, source: Source): void {
    this.sources.set(this.pub.addTransceiver(track, { direction: 'sendonly' }), source);
    this.negotiate('offer');
  }

  /** withdraw takes a track away again. */
  withdraw(track: MediaStreamTrack): void {
    for (const [transceiver] of this.sources) {
      if (transceiver.sender.track === track) {
        this.sources.delete(transceiver);
        transceiver.stop();
      }
    }
    this.negotiate('offer');
  }

  /** replace swaps a camera or microphone without a new offer. */
  async replace(before: MediaStreamTrack, after: MediaStreamTrack): Promise<void> {
    for (const [transceiver] of this.sources) {
      if (transceiver.sender.track === before) await transceiver.sender.replaceTrack(after);
    }
  }

  /** answered takes the server's answer to our offer. */
  answered(sdp: string): void {
    this.inTurn(async () => {
      if (this.pub.signalingState === 'have-local-offer') await this.pub.setRemoteDescription({ type: 'answer', sdp });
      this.offering = false;
      if (this.wanted !== 'no') this.negotiate(this.wanted);
    });
  }

  /** offered answers the server's offer and takes note of whose each track is. */
  offered(id: number, sdp: string, tracks: TrackOf[]): void {
    this.inTurn(async () => {
      await this.sub.setRemoteDescription({ type: 'offer', sdp });
      await this.sub.setLocalDescription();
      this.send({ type: 'answer', id, sdp: this.sub.localDescription?.sdp ?? '' });
      this.tracks = tracks;
      const found: Tracks = {};
      for (const t of tracks) {
        const track = this.sub.getTransceivers().find((x) => x.mid === t.mid)?.receiver.track;
        if (track) found[t.seat] = { ...found[t.seat], [t.source]: track };
      }
      this.told.tracks(found);
    });
  }

  // Everything that changes descriptions goes one after the other, in the order it came.
  private inTurn(step: () => Promise<void>): void {
    this.chain = this.chain.then(step).catch(() => {
      // A description that cannot be applied: this pair is beyond mending.
      if (!this.over) this.told.lost();
    });
  }

  private negotiate(kind: 'offer' | 'restart'): void {
    if (this.offering) {
      this.wanted = this.wanted === 'restart' ? 'restart' : kind;
      return;
    }
    this.offering = true;
    this.wanted = 'no';
    this.inTurn(async () => {
      // A track added meanwhile is in this offer, too.
      const restart = kind === 'restart' || this.wanted === 'restart';
      this.wanted = 'no';
      await this.pub.setLocalDescription(await this.pub.createOffer({ iceRestart: restart }));
      const sources: Record<string, Source> = {};
      for (const [transceiver, source] of this.sources) if (transceiver.mid) sources[transceiver.mid] = source;
      this.send({ type: 'offer', sdp: this.pub.localDescription?.sdp ?? '', sources });
    });
  }

  private make(pc: 'publish' | 'subscribe', iceServers: RTCIceServer[]): RTCPeerConnection {
    const made = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    made.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.send({ type: 'candidate', pc, candidate: candidate.toJSON() });
    };
    made.onconnectionstatechange = () => this.watch(pc, made);
    return made;
  }

  private watch(pc: 'publish' | 'subscribe', made: RTCPeerConnection): void {
    clearTimeout(this.timers.get(made));
    if (this.over || (made.connectionState !== 'disconnected' && made.connectionState !== 'failed')) return;
    this.timers.set(made, setTimeout(() => {
      if (pc === 'publish') this.negotiate('restart');
      else this.send({ type: 'restart' });
      this.timers.set(made, setTimeout(() => {
        if (made.connectionState !== 'connected' && !this.over) this.told.lost();
      }, giveUp));
    }, made.connectionState === 'failed' ? 0 : patience));
  }

  // Loss on the way to this browser, per seat, since the last look.
  private async measure(): Promise<void> {
    if (this.over || this.tracks.length === 0) return;
    const heard: Record<string, Quality> = {};
    const worst: Quality[] = ['good', 'fair', 'poor', 'lost'];
    const stats = await this.sub.getStats();
    const now = new Map<string, { lost: number; received: number }>();
    for (const s of stats.values()) {
      const seat = s.type === 'inbound-rtp' ? this.tracks.find((t) => t.mid === s.mid)?.seat : undefined;
      if (!seat) continue;
      const count = { lost: s.packetsLost ?? 0, received: s.packetsReceived ?? 0 };
      now.set(s.id, count);
      const before = this.counts.get(s.id);
      if (!before) continue;
      const received = count.received - before.received;
      const lost = Math.max(0, count.lost - before.lost);
      if (received + lost === 0) continue;
      const level = levelOf(lost / (received + lost));
      const known = heard[seat] ?? 'good';
      heard[seat] = worst.indexOf(level) > worst.indexOf(known) ? level : known;
    }
    this.counts = now;
    if (!this.over) this.told.heard(heard);
  }
}

/** levelOf turns a share of lost packets into a word: Opus hides 3 %, and above 10 % a voice breaks. */
export function levelOf(loss: number): Quality {
  if (loss > 0.1) return 'poor';
  return loss > 0.03 ? 'fair' : 'good';
}
