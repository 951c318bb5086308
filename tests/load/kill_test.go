package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/fhirclient"
	"github.com/yba-health/yba/pkg/province"
)

const (
	kills   = 4
	victims = 120
)

// expected is one bundle of the import and what must be there once it is.
type expected struct {
	file, sum string
	// count is, for each person's identifier, how many resources of each type
	// the person's compartment gets.
	count map[string]map[string]int
}

func TestKillingTheServerDuringAnImportLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole suite and kills it; left out by -short")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments of the kills: seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))

	s := newSuite(t)
	// The demo's loader opens the accounts and writes the facilities that the
	// bundles refer to.
	s.run(t, "demo", "load", "--people", "100", "--seed", "1", "--url", s.url)
	token := filepath.Join(s.data, "token")
	renew := func() {
		if err := os.WriteFile(token, []byte(s.run(t, "token", "--as", "importer")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	want := writeBundles(t, folder)

	for k := range kills {
		renew()
		before := len(acknowledged(t, s.data))
		// Killed after some more bundles, and somewhere within the next one.
		target := before + 1 + r.IntN(victims/kills-2)
		within := time.Duration(r.IntN(40)) * time.Millisecond
		load := s.command(t.Context(), "import", folder, "--url", s.url, "--token-file", token)
		out := &lines{}
		load.Stdout, load.Stderr = out, out
		if err := load.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, s, fmt.Sprintf("%d bundles are acknowledged (import says: %s)", target, out), func() bool {
			return len(acknowledged(t, s.data)) >= target
		})
		<-time.After(within)
		s.kill(t)
		// The importer dies with it, so that it cannot repair what it left.
		if err := load.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = load.Wait()
		s.start(t)
		renew()
		known := acknowledged(t, s.data)
		there, absent := 0, 0
		for _, e := range want {
			whole := check(t, s, token, e)
			if known[e.sum] && !whole {
				t.Errorf("kill %d: %s was acknowledged and is not there", k+1, e.file)
			}
			if whole {
				there++
			} else {
				absent++
			}
		}
		t.Logf("kill %d, %s after %d acknowledgements: %d acknowledged, %d there whole, %d absent", k+1, within, target, len(known), there, absent)
		if t.Failed() {
			t.Fatalf("the server said:\n%s", s.log)
		}
	}
	renew()
	t.Log(s.run(t, "import", folder, "--url", s.url, "--token-file", token))
	for _, e := range want {
		if !check(t, s, token, e) {
			t.Errorf("%s is absent after the import was resumed to its end", e.file)
		}
	}
}

// writeBundles makes bundles of creates, the hard case: they are no more
// idempotent than those of any other exporter.
func writeBundles(t *testing.T, folder string) []expected {
	t.Helper()
	var out []expected
	for b, err := range province.New(province.Config{People: 1000, Seed: 99}).Bundles() {
		if err != nil {
			t.Fatal(err)
		}
		if b.Name == "facilities" {
			continue
		}
		body, e := asCreates(t, b)
		e.file = b.Name + ".json"
		if err := os.WriteFile(filepath.Join(folder, e.file), body, 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		e.sum = hex.EncodeToString(sum[:])
		if out = append(out, e); len(out) == victims {
			break
		}
	}
	return out
}

// asCreates turns a bundle of updates into one of POSTs that refer to each
// other by urn:uuid, with identifiers of their own.
func asCreates(t *testing.T, b province.Bundle) ([]byte, expected) {
	t.Helper()
	var v struct {
		ResourceType string           `json:"resourceType"`
		Type         string           `json:"type"`
		Entry        []map[string]any `json:"entry"`
	}
	d := json.NewDecoder(bytes.NewReader(b.JSON))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	urn, identifier := map[string]string{}, map[string]string{}
	for _, e := range v.Entry {
		resource := e["resource"].(map[string]any)
		ref := resource["resourceType"].(string) + "/" + resource["id"].(string)
		h := sha256.Sum256([]byte("kill " + ref))
		urn[ref] = uuid(h)
		e["fullUrl"], e["request"] = urn[ref], map[string]any{"method": "POST", "url": resource["resourceType"]}
		if resource["resourceType"] == "Patient" {
			identifier[urn[ref]] = "kill-" + resource["id"].(string)
			resource["identifier"] = []any{map[string]any{"system": fhir.SystemClient, "value": identifier[urn[ref]]}}
		}
		delete(resource, "id")
	}
	e := expected{count: map[string]map[string]int{}}
	for _, entry := range v.Entry {
		resource := entry["resource"].(map[string]any)
		refer(resource, urn)
		typ := resource["resourceType"].(string)
		who := identifier[owner(resource, entry["fullUrl"].(string))]
		if who == "" {
			continue
		}
		if e.count[who] == nil {
			e.count[who] = map[string]int{}
		}
		e.count[who][typ]++
	}
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body, e
}

// uuid writes the first 16 bytes as a version 8 UUID (RFC 9562 section 5.8).
func uuid(h [32]byte) string {
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func refer(v any, urn map[string]string) {
	switch x := v.(type) {
	case map[string]any:
		if ref, ok := x["reference"].(string); ok && urn[ref] != "" {
			x["reference"] = urn[ref]
		}
		for _, y := range x {
			refer(y, urn)
		}
	case []any:
		for _, y := range x {
			refer(y, urn)
		}
	}
}

// owner returns whose compartment a resource lies in, by its full URL.
func owner(resource map[string]any, self string) string {
	if resource["resourceType"] == "Patient" {
		return self
	}
	for _, k := range []string{"subject", "patient"} {
		if m, ok := resource[k].(map[string]any); ok {
			return m["reference"].(string)
		}
	}
	return ""
}

// acknowledged reads the importer's journal: the sums of the bundles whose
// acknowledgement reached it.
func acknowledged(t *testing.T, data string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "import", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			var v struct {
				Sum   string `json:"sha256"`
				State string `json:"state"`
			}
			// The last line may be torn by the kill.
			if json.Unmarshal([]byte(l), &v) == nil && v.State == "acknowledged" {
				out[v.Sum] = true
			}
		}
	}
	return out
}

// check reports whether a bundle is there. It fails when it is there in part,
// or more than once.
func check(t *testing.T, s *suite, token string, e expected) bool {
	t.Helper()
	c, err := fhirclient.New(fhirclient.Options{Base: s.url, Token: func() (string, error) {
		b, err := os.ReadFile(token)
		return strings.TrimSpace(string(b)), err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	there := 0
	for who, want := range e.count {
		ids := search(t, c, "Patient", url.Values{"identifier": {fhir.SystemClient + "|" + who}})
		if len(ids) == 0 {
			continue
		}
		there++
		if len(ids) > 1 {
			t.Errorf("%s: %s is there %d times", e.file, who, len(ids))
			continue
		}
		got := map[string]int{}
		for _, r := range search(t, c, "Patient/"+ids[0].ID+"/$everything", nil) {
			got[r.ResourceType]++
		}
		for typ, n := range want {
			if got[typ] != n {
				t.Errorf("%s: %s has %d %s, the bundle holds %d", e.file, who, got[typ], typ, n)
			}
		}
	}
	if there != 0 && there != len(e.count) {
		t.Errorf("%s is there in part: %d of %d people", e.file, there, len(e.count))
	}
	return there > 0
}

type found struct{ ResourceType, ID string }

func search(t *testing.T, c *fhirclient.Client, typ string, q url.Values) []found {
	t.Helper()
	var out []found
	for body, err := range c.Search(t.Context(), typ, q) {
		if err != nil {
			t.Fatal(err)
		}
		var f found
		if err := json.Unmarshal(body, &f); err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}
