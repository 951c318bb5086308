package records

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/rest"
)

func TestContentThatIsRefusedLeavesNothing(t *testing.T) {
	r, ctx, db := openDB(t)
	r.settings.maxContent = 1 << 20
	h := faceOf(t, r, gate{})
	p := personOf(ctx, t, r, "1")
	whole := scan(900_000, 12)
	for name, c := range map[string]struct {
		body    io.Reader
		headers []string
		status  int
	}{
		"too large":                  {bytes.NewReader(scan(1<<20+1, 13)), nil, 413},
		"too large, of unknown size": {io.MultiReader(bytes.NewReader(scan(1<<20+1, 13))), nil, 413},
		"broken off":                 {io.MultiReader(bytes.NewReader(whole), failing{}), nil, 400},
		"broken off at once":         {failing{}, nil, 400},
		"empty":                      {strings.NewReader(""), nil, 400},
		"packed in a way unknown":    {bytes.NewReader(whole), []string{"Content-Encoding", "br"}, 415},
		"no gzip":                    {bytes.NewReader(whole), []string{"Content-Encoding", "gzip"}, 400},
		"too large, packed":          {squeezed(make([]byte, 1<<20+1)), []string{"Content-Encoding", "gzip"}, 413},
		"FHIR in XML":                {strings.NewReader("<Binary/>"), []string{"Content-Type", "application/fhir+xml"}, 415},
		"no type":                    {bytes.NewReader(whole), []string{"Content-Type", ""}, 415},
		"no form of a type":          {bytes.NewReader(whole), []string{"Content-Type", "pdf"}, 415},
		"nobody's record":            {bytes.NewReader(whole), []string{"X-Security-Context", "Patient/nobody"}, 422},
		"nobody signed in":           {failing{}, []string{"Authorization", "Bearer bad"}, 401},
	} {
		headers := append([]string{"Content-Type", "application/pdf", "X-Security-Context", "Patient/" + p}, c.headers...)
		if w := raw(h, "good", "POST", "/Binary", c.body, headers...); w.Code != c.status || !strings.Contains(w.Body.String(), "OperationOutcome") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// In the middle of the transaction.
	r.store = breaking{r.store}
	if w := raw(h, "good", "POST", "/Binary", bytes.NewReader(whole), "Content-Type", "application/pdf", "X-Security-Context", "Patient/"+p); w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	nothing(ctx, t, db, r)
}

// nothing proves that no Binary and no content is stored.
func nothing(ctx context.Context, t testing.TB, db *sql.DB, r *Records) {
	t.Helper()
	var resources, blobs int
	if err := db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM records.directory WHERE type = $1), (SELECT count(*) FROM records.blobs)`,
		r.defs.Number("Binary")).Scan(&resources, &blobs); err != nil || resources != 0 || blobs != 0 {
		t.Errorf("%d resources and %d parts are left: %v", resources, blobs, err)
	}
	if files, err := os.ReadDir(r.settings.uploads); err != nil || len(files) != 0 {
		t.Errorf("files are left: %v %v", files, err)
	}
}

// squeezed is packed content.
func squeezed(b []byte) io.Reader {
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	_, _ = gz.Write(b)
	_ = gz.Close()
	return &out
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }

// breaking is a store whose database goes away while content is stored.
type breaking struct{ Store }

func (b breaking) Keep(ctx context.Context, tx *sql.Tx, patient int64, x record.Splice, content io.Reader) error {
	return b.Store.Keep(ctx, tx, patient, x, io.MultiReader(io.LimitReader(content, 300_000), failing{}))
}

// watched measures the live heap while bytes pass.
type watched struct {
	t       testing.TB
	passed  int
	looked  int
	highest uint64
}

func (w *watched) pass(n int) {
	w.passed += n
	if w.passed-w.looked < 8<<20 {
		return
	}
	w.looked = w.passed
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.highest = max(w.highest, m.HeapAlloc)
}

// source sends n pseudorandom bytes.
type source struct {
	*watched
	random *rand.ChaCha8
	left   int
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.random.Read(p[:min(len(p), s.left)])
	s.left -= n
	s.pass(n)
	return n, err
}

// sink takes an answer without keeping it.
type sink struct {
	*watched
	header http.Header
	status int
	sum    interface{ Write([]byte) (int, error) }
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) { s.status = status }

func (s *sink) Write(p []byte) (int, error) {
	s.pass(len(p))
	return s.sum.Write(p)
}

func TestLargeContentIsNeverHeldInMemory(t *testing.T) {
	r, ctx := open(t)
	h := faceOf(t, r, gate{})
	p := personOf(ctx, t, r, "1")
	const size = 64 << 20
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w := &watched{t: t}
	up := raw(h, "good", "POST", "/Binary", &source{w, rand.NewChaCha8([32]byte{14}), size}, "Content-Type", "application/zip", "X-Security-Context", "Patient/"+p)
	if up.Code != 201 {
		t.Fatalf("%d %s", up.Code, up.Body)
	}
	id := strings.Split(up.Header().Get("Location"), "/")[6]
	want := sha256.New()
	_, _ = io.Copy(want, io.LimitReader(rand.NewChaCha8([32]byte{14}), size))
	get := func(accept string, sum interface{ Write([]byte) (int, error) }) {
		t.Helper()
		req := httptest.NewRequest("GET", rest.Prefix+"/Binary/"+id, nil)
		req.Header.Set("Authorization", "Bearer good")
		req.Header.Set("Accept", accept)
		s := &sink{watched: w, header: http.Header{}, status: 200, sum: sum}
		if h.ServeHTTP(s, req); s.status != 200 {
			t.Fatalf("%d", s.status)
		}
	}
	got := sha256.New()
	get("*/*", got)
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Error("other bytes came back")
	}
	// The resource, too, is written piece by piece.
	in, out := io.Pipe()
	text := sha256.New()
	done := make(chan error, 1)
	go func() {
		head := make([]byte, 0, 400)
		for !bytes.HasSuffix(head, []byte(`"data":"`)) && len(head) < 400 {
			one := []byte{0}
			_, _ = in.Read(one)
			head = append(head, one...)
		}
		_, err := io.Copy(text, io.LimitReader(base64.NewDecoder(base64.StdEncoding, in), size))
		_, _ = io.Copy(io.Discard, in)
		done <- err
	}()
	get("application/fhir+json", out)
	out.Close()
	if err := <-done; err != nil || !bytes.Equal(text.Sum(nil), want.Sum(nil)) {
		t.Errorf("other bytes came back as a resource: %v", err)
	}
	if w.passed < 3*size {
		t.Fatalf("only %d bytes passed", w.passed)
	}
	if grown := int64(w.highest) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	// Lists, which are put together in memory, leave out what is so large.
	e, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p, Query: "_type=Binary"})
	if err != nil {
		t.Fatal(err)
	}
	if s := string(e.GetBody()); strings.Contains(s, `"data"`) || !strings.Contains(s, "SUBSETTED") || !strings.Contains(s, "application/zip") {
		t.Errorf("$everything shows %.300s", s)
	}
	if x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Binary", Id: id}); err != nil || !strings.Contains(string(x.GetBody()), "SUBSETTED") {
		t.Errorf("a read in memory: %v", err)
	}
	if _, err := r.Patch(ctx, &recordsv1.PatchRequest{Type: "Binary", Id: id, ContentType: jsonPatch, Body: []byte(`[{"op":"replace","path":"/contentType","value":"text/plain"}]`)}); err == nil {
		t.Error("it was patched in memory")
	}
}
