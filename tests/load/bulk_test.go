package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	bulkPeople = 3000
	bulkKills  = 3
	// largeContent is more than a PUT may have, in bytes.
	largeContent = 13 << 20
)

// stamped is what a server sets: the version, and the time of writing.
var stamped = regexp.MustCompile(`"versionId":"\d+","lastUpdated":"[^"]*"`)

// bulkClient speaks to one server.
type bulkClient struct {
	*suite
	token string
	http  http.Client
}

func newBulkClient(t *testing.T) *bulkClient {
	t.Helper()
	c := &bulkClient{suite: newSuite(t)}
	c.run(t, "user", "create", "importer", "--name", "Importer", "--role", "importer")
	c.token = strings.TrimSpace(c.run(t, "token", "--as", "importer"))
	return c
}

// answer is one with its whole body.
type answer struct {
	status int
	head   http.Header
	body   []byte
}

// do returns the answer, and the error of reading its body, too.
func (c *bulkClient) do(ctx context.Context, method, url, contentType string, body io.Reader, headers ...string) (answer, error) {
	if !strings.HasPrefix(url, "http") {
		url = c.url + "/fhir/R4" + url
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

// load sends NDJSON and returns the counts of the answer.
func (c *bulkClient) load(ctx context.Context, lines []byte) (map[string]int, error) {
	got, err := c.do(ctx, http.MethodPost, "/$import", "application/fhir+ndjson", bytes.NewReader(lines))
	if err != nil {
		return nil, err
	}
	var p struct {
		Parameter []struct {
			Name         string
			ValueInteger int
		}
	}
	if err := json.Unmarshal(got.body, &p); err != nil || got.status != http.StatusOK {
		return nil, fmt.Errorf("%d %.400s", got.status, got.body)
	}
	counts := map[string]int{}
	for _, x := range p.Parameter {
		counts[x.Name] = x.ValueInteger
	}
	if counts["failed"] > 0 {
		return counts, fmt.Errorf("%.400s", got.body)
	}
	return counts, nil
}

// count returns how many Patients there are.
func (c *bulkClient) count(t *testing.T) int {
	t.Helper()
	got, err := c.do(t.Context(), http.MethodGet, "/Patient?_summary=count", "", nil)
	var x struct{ Total int }
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &x) != nil {
		t.Fatalf("%v %s", err, got.body)
	}
	return x.Total
}

type bulkFile struct {
	URL   string
	Count int
}

// begin asks for an export and returns the address of its status.
func (c *bulkClient) begin(t *testing.T, more string) string {
	t.Helper()
	got, err := c.do(t.Context(), http.MethodGet, "/$export?_type=Patient,Observation,Binary"+more, "", nil, "Prefer", "respond-async")
	if err != nil || got.status != http.StatusAccepted {
		t.Fatalf("%v %s", err, got.body)
	}
	return got.head.Get("Content-Location")
}

// complete waits for an export and returns its files.
func (c *bulkClient) complete(t *testing.T, status string) []bulkFile {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); {
		got, err := c.do(t.Context(), http.MethodGet, status, "", nil)
		if err != nil || got.status > http.StatusAccepted {
			t.Fatalf("%v %s", err, got.body)
		}
		if got.status == http.StatusOK {
			var m struct{ Output []bulkFile }
			if err := json.Unmarshal(got.body, &m); err != nil {
				t.Fatal(err)
			}
			return m.Output
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Fatal("the export is never complete")
	return nil
}

// all downloads the files, and returns their lines without what a server sets, sorted.
func (c *bulkClient) all(t *testing.T, files []bulkFile) (text []byte, lines []string) {
	t.Helper()
	for _, f := range files {
		got, err := c.do(t.Context(), http.MethodGet, f.URL, "", nil)
		if err != nil || got.status != http.StatusOK || bytes.Count(got.body, []byte("\n")) != f.Count {
			t.Fatalf("%v %d, %d lines of %d", err, got.status, bytes.Count(got.body, []byte("\n")), f.Count)
		}
		text = append(text, got.body...)
	}
	for l := range bytes.Lines(text) {
		lines = append(lines, string(stamped.ReplaceAll(l, nil)))
	}
	slices.Sort(lines)
	return text, lines
}

func TestBulkDataSurvivesKillsAndMakesAnEqualStore(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two servers and kills one; left out by -short")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments of the kills: seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	c := newBulkClient(t)
	var file bytes.Buffer
	for i := range bulkPeople {
		fmt.Fprintf(&file, `{"resourceType":"Patient","id":"p%d","name":[{"text":"Nguyễn Thị %d"}],"birthDate":"19%02d"}`+"\n", i, i, i%100)
		for o := range 3 {
			fmt.Fprintf(&file, `{"resourceType":"Observation","id":"p%d-%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},`+
				`"subject":{"reference":"Patient/p%d"},"effectiveDateTime":"2026-01-02","valueQuantity":{"value":6%d.50}}`+"\n", i, o, i, o)
		}
	}
	const lines = bulkPeople * 4

	// An import that is killed is sent again: what was stored stays, once.
	for k := range bulkKills {
		// The sender is in the middle of its file when the server dies.
		body, pipe := io.Pipe()
		ended := make(chan error)
		go func() {
			_, err := c.do(t.Context(), http.MethodPost, "/$import", "application/fhir+ndjson", body)
			ended <- err
		}()
		go func() {
			part := file.Bytes()[:file.Len()*(k+1)/(bulkKills+1)]
			_, _ = pipe.Write(part) // breaks off with the server
		}()
		before := c.count(t)
		until(t, c.suite, "something is stored", func() bool { return c.count(t) > before })
		within := time.Duration(r.IntN(60)) * time.Millisecond
		<-time.After(within)
		c.kill(t)
		pipe.Close()
		if err := <-ended; err == nil {
			t.Error("an import that was killed is answered")
		}
		c.start(t)
		t.Logf("import, kill %d %s after the first piece: %d of %d Patients are there", k+1, within, c.count(t), bulkPeople)
	}
	counts, err := c.load(t.Context(), file.Bytes())
	if err != nil || counts["created"]+counts["unchanged"] != lines || counts["updated"] != 0 || counts["unchanged"] == 0 {
		t.Fatalf("the last import: %v %v", counts, err)
	}
	t.Logf("the last import: %v", counts)
	content := make([]byte, largeContent)
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	if got, err := c.do(t.Context(), http.MethodPut, "/Binary/large", "application/octet-stream", bytes.NewReader(content)); err != nil || got.status != http.StatusCreated {
		t.Fatalf("%v %s", err, got.body)
	}

	// An export that is killed goes on; it is of the moment of asking.
	status := c.begin(t, "")
	filtered := c.begin(t, "&_typeFilter=Patient%3Fbirthdate%3D1900&_typeFilter=Observation%3Fvalue-quantity%3Dgt61&_typeFilter=Binary%3F_id%3Dnone&_elements=birthDate,subject")
	if counts, err := c.load(t.Context(), []byte(`{"resourceType":"Patient","id":"late"}`+"\n"+`{"resourceType":"Patient","id":"p0","birthDate":"2001"}`)); err != nil || counts["created"] != 1 || counts["updated"] != 1 {
		t.Fatalf("%v %v", counts, err)
	}
	c.kill(t)
	c.start(t)
	files := c.complete(t, status)
	n := 0
	for _, f := range files {
		n += f.Count
	}
	if n != lines+1 {
		t.Errorf("the export has %d resources instead of %d", n, lines+1)
	}

	// So does one with criteria: p0 had not changed yet.
	_, some := c.all(t, c.complete(t, filtered))
	if all := strings.Join(some, ""); len(some) != bulkPeople/100+2*bulkPeople || !strings.Contains(all, `"id":"p0"`) || strings.Count(all, "SUBSETTED") != len(some) || strings.Contains(all, "valueQuantity") {
		t.Errorf("the export with criteria has %d resources: %.300s", len(some), all)
	}

	// A download that breaks off is known to be broken.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, files[len(files)-1].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 1000)
	if _, err := io.ReadFull(resp.Body, head); err != nil {
		t.Fatal(err)
	}
	c.kill(t)
	rest, err := io.ReadAll(resp.Body)
	if sent := bytes.Count(head, []byte("\n")) + bytes.Count(rest, []byte("\n")); err == nil && sent != files[len(files)-1].Count {
		t.Errorf("a download that broke off after %d lines looks whole", sent)
	}
	resp.Body.Close()
	c.start(t)
	text, want := c.all(t, files)
	if strings.Contains(string(text), `"id":"late"`) || strings.Contains(string(text), `"birthDate":"2001"`) {
		t.Error("what was written after the asking is in the export")
	}

	// Imported elsewhere it makes an equal store.
	other := newBulkClient(t)
	if counts, err := other.load(t.Context(), text); err != nil || counts["created"] != n {
		t.Fatalf("%v %v", counts, err)
	}
	_, got := other.all(t, other.complete(t, other.begin(t, "")))
	if !slices.Equal(got, want) {
		t.Errorf("the other store has %d lines instead of %d, or others", len(got), len(want))
	}
	if got, err := other.do(t.Context(), http.MethodGet, "/Binary/large", "", nil, "Accept", "application/octet-stream"); err != nil || !bytes.Equal(got.body, content) {
		t.Errorf("the large content: %v, %d bytes", err, len(got.body))
	}
}
