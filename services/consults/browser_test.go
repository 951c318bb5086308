package consults

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// page is two people in one browser: it reports when both see the other's
// picture and get the other's sound.
const page = `<!doctype html><script type="module">
async function person(token) {
  const ws = new WebSocket("WS/api/consults/v1/rooms?seat=" + token);
  const pub = new RTCPeerConnection(), sub = new RTCPeerConnection();
  const send = m => ws.send(JSON.stringify(m));
  pub.onicecandidate = e => e.candidate && send({type: "candidate", pc: "publish", candidate: e.candidate.toJSON()});
  sub.onicecandidate = e => e.candidate && send({type: "candidate", pc: "subscribe", candidate: e.candidate.toJSON()});
  ws.onmessage = async ({data}) => {
    const m = JSON.parse(data);
    if (m.type === "error") await fetch("/say", {method: "POST", body: "error " + data});
    if (m.type === "hello") {
      const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
      for (const t of media.getTracks()) pub.addTransceiver(t, {direction: "sendonly"});
      await pub.setLocalDescription();
      send({type: "offer", sdp: pub.localDescription.sdp});
    } else if (m.type === "answer") {
      await pub.setRemoteDescription({type: "answer", sdp: m.sdp});
    } else if (m.type === "offer") {
      await sub.setRemoteDescription({type: "offer", sdp: m.sdp});
      await sub.setLocalDescription();
      send({type: "answer", id: m.id, sdp: sub.localDescription.sdp});
    }
  };
  for (;;) {
    let frames = 0, sound = 0;
    for (const s of (await sub.getStats()).values()) {
      if (s.type === "inbound-rtp" && s.kind === "video") frames = s.framesDecoded;
      if (s.type === "inbound-rtp" && s.kind === "audio") sound = s.packetsReceived;
    }
    if (frames > 20 && sound > 50) {
      return [...(await sub.getStats()).values(), ...(await pub.getStats()).values()].filter(s => s.type === "transport").map(s => s.srtpCipher);
    }
    await new Promise(f => setTimeout(f, 100));
  }
}
try {
  const ciphers = await Promise.all(["TOKEN1", "TOKEN2"].map(person));
  await fetch("/say", {method: "POST", body: "ok " + ciphers});
} catch (e) { await fetch("/say", {method: "POST", body: "failed " + e}); }
</script>`

// browse opens a page with the doctor's and the patient's seats in Chromium
// and returns what the page says at the end.
func browse(t *testing.T, page string) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on this machine")
	}
	h := newHouse(t)
	h.module.origins = []string{"127.0.0.1:*"}
	id := h.active()
	html := strings.NewReplacer("WS", "ws"+strings.TrimPrefix(h.url, "http"), "TOKEN1", h.token("d", id), "TOKEN2", h.token("p", id)).Replace(page)
	said := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/say" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, html)
			return
		}
		b, _ := io.ReadAll(r.Body)
		said <- string(b)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	// Not t.TempDir: the browser's children may write while it is removed.
	profile, err := os.MkdirTemp("", "yba-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(profile) }()
	browser := exec.CommandContext(ctx, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--user-data-dir="+profile, server.URL)
	browser.WaitDelay = 5 * time.Second
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = browser.Process.Kill()
		_ = browser.Wait()
	}()
	select {
	case s := <-said:
		return s
	case <-ctx.Done():
		return "nothing: the browser did not see the other side in time"
	}
}

func TestChromiumHearsAndSees(t *testing.T) {
	said := browse(t, page)
	if !strings.HasPrefix(said, "ok") {
		t.Fatal(said)
	}
	if strings.Count(said, "AES_128_GCM") != 4 {
		t.Errorf("media is encrypted by %s; AES-GCM costs a fifth", said)
	}
}

// sharing is a page whose first person shares a screen, stops, and shares again.
const sharing = `<!doctype html><canvas id="c" width="64" height="48"></canvas><script type="module">
let paint = 0;
const canvas = document.getElementById("c").getContext("2d");
setInterval(() => { canvas.fillStyle = "hsl(" + (paint += 20) + " 80% 50%)"; canvas.fillRect(0, 0, 64, 48); }, 50);
const wait = async (what, ok) => {
  for (let n = 0; n < 150; n++) { if (await ok()) return; await new Promise(f => setTimeout(f, 100)); }
  throw "waited in vain for " + what;
};
async function person(token) {
  const ws = new WebSocket("WS/api/consults/v1/rooms?seat=" + token);
  const pub = new RTCPeerConnection(), sub = new RTCPeerConnection();
  const me = {pub, sub, tracks: [], sources: new Map()};
  const send = m => ws.send(JSON.stringify(m));
  let answered;
  me.negotiate = async () => {
    const done = new Promise(f => answered = f);
    await pub.setLocalDescription();
    const sources = {};
    for (const [t, s] of me.sources) if (t.mid !== null) sources[t.mid] = s;
    send({type: "offer", sdp: pub.localDescription.sdp, sources});
    await done;
  };
  pub.onicecandidate = e => e.candidate && send({type: "candidate", pc: "publish", candidate: e.candidate.toJSON()});
  sub.onicecandidate = e => e.candidate && send({type: "candidate", pc: "subscribe", candidate: e.candidate.toJSON()});
  ws.onmessage = async ({data}) => {
    const m = JSON.parse(data);
    if (m.type === "error") await fetch("/say", {method: "POST", body: "error " + data});
    if (m.type === "hello") me.ready = true;
    else if (m.type === "answer") {
      await pub.setRemoteDescription({type: "answer", sdp: m.sdp});
      answered();
    } else if (m.type === "offer") {
      me.tracks = m.tracks;
      await sub.setRemoteDescription({type: "offer", sdp: m.sdp});
      await sub.setLocalDescription();
      send({type: "answer", id: m.id, sdp: sub.localDescription.sdp});
    }
  };
  me.share = async () => {
    const [track] = document.getElementById("c").captureStream(20).getVideoTracks();
    const t = pub.addTransceiver(track, {direction: "sendonly"});
    me.sources.set(t, "screen");
    await me.negotiate();
    return async () => { me.sources.delete(t); t.stop(); track.stop(); await me.negotiate(); };
  };
  // The screen's frames that were decoded here.
  me.screen = async () => {
    const at = me.tracks.find(t => t.source === "screen");
    for (const s of (await sub.getStats()).values()) {
      if (at && s.type === "inbound-rtp" && s.mid === at.mid) return s.framesDecoded || 0;
    }
    return 0;
  };
  await wait("hello", () => me.ready);
  return me;
}
try {
  const [d, p] = await Promise.all(["TOKEN1", "TOKEN2"].map(person));
  const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  for (const t of media.getTracks()) d.sources.set(d.pub.addTransceiver(t, {direction: "sendonly"}), t.kind === "audio" ? "microphone" : "camera");
  await d.negotiate();
  for (let round = 1; round <= 3; round++) {
    const stop = await d.share();
    let before = await p.screen();
    await wait("frames of the screen, round " + round, async () => await p.screen() > 5);
    await stop();
    await wait("the end of the screen, round " + round, () => !p.tracks.some(t => t.source === "screen"));
  }
  await fetch("/say", {method: "POST", body: "ok"});
} catch (e) { await fetch("/say", {method: "POST", body: "failed " + e}); }
</script>`

func TestAScreenIsSharedAgainAndAgain(t *testing.T) {
	if said := browse(t, sharing); !strings.HasPrefix(said, "ok") {
		t.Fatal(said)
	}
}
