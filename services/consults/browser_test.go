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
    if (frames > 20 && sound > 50) return;
    await new Promise(f => setTimeout(f, 100));
  }
}
try {
  await Promise.all(["TOKEN1", "TOKEN2"].map(person));
  await fetch("/say", {method: "POST", body: "ok"});
} catch (e) { await fetch("/say", {method: "POST", body: "failed " + e}); }
</script>`

func TestChromiumHearsAndSees(t *testing.T) {
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
		if s != "ok" {
			t.Fatal(s)
		}
	case <-ctx.Done():
		t.Fatal("the browser did not see the other side in time")
	}
}
