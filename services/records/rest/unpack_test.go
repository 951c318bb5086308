package rest_test

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/rest"
)

func packed(text string) string {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	_, _ = gz.Write([]byte(text))
	_ = gz.Close()
	return b.String()
}

func TestABodyMayTravelPacked(t *testing.T) {
	r, _ := recordstest.Open(t)
	call := r.Calls(t)
	organization := packed(`{"resourceType":"Organization","id":"o","name":"Trạm y tế"}`)
	transaction := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Organization","name":"B"},"request":{"method":"POST","url":"Organization"}}]}`
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		holds                    string
	}{
		{"an update", "PUT", "/Organization/o", organization, nil, 201, "Trạm y tế"},
		{"a patch", "PATCH", "/Organization/o", packed(`[{"op":"replace","path":"/name","value":"C"}]`), []string{"Content-Type", "application/json-patch+json"}, 200, `"name":"C"`},
		{"a transaction", "POST", "", packed(transaction), nil, 200, "201 Created"},
		{"by its old name, in capitals", "POST", "", packed(transaction), []string{"Content-Encoding", "X-GZIP"}, 200, "201 Created"},
		{"in two parts", "POST", "", packed(transaction[:50]) + packed(transaction[50:]), nil, 200, "201 Created"},
		{"a search", "POST", "/Organization/_search", packed("name=c"), []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, `"name":"C"`},
		{"what says that it is not", "POST", "", transaction, []string{"Content-Encoding", "identity"}, 200, "201 Created"},
		{"not packed", "POST", "", transaction, nil, 400, "no whole gzip"},
		{"broken off", "POST", "", packed(transaction)[:60], nil, 400, "no whole gzip"},
		{"damaged", "POST", "", packed(transaction)[:60] + "x" + packed(transaction)[61:], nil, 400, "no whole gzip"},
		{"nothing", "POST", "", "", nil, 400, "no whole gzip"},
		{"another coding", "POST", "", transaction, []string{"Content-Encoding", "br"}, 415, "not-supported"},
		{"packed twice", "POST", "", packed(packed(transaction)), []string{"Content-Encoding", "gzip, gzip"}, 415, "not-supported"},
		{"another coding of a file", "POST", "/Binary", "x", []string{"Content-Encoding", "deflate", "Content-Type", "text/plain"}, 415, "not-supported"},
		{"a file", "POST", "/Binary", packed("Chào"), []string{"Content-Type", "text/plain"}, 201, ""},
		{"a file that breaks off", "POST", "/Binary", packed(strings.Repeat("Chào", 1000))[:30], []string{"Content-Type", "text/plain"}, 400, "could not be read"},
		{"a resource that is too large", "POST", "/Organization", packed(strings.Repeat(" ", record.MaxSize) + `{"resourceType":"Organization"}`), nil, 413, "too-long"},
		{"a Bundle that is too large", "POST", "", packed(strings.Repeat(" ", 50<<20) + transaction), nil, 413, "too-long"},
		{"nobody's", "POST", "", packed(transaction), []string{"Authorization", "Bearer bad"}, 401, "login"},
		{"nobody's, and no gzip", "POST", "", transaction, []string{"Authorization", "Bearer bad"}, 401, "login"},
	} {
		w := call(tt.method, "/fhir/R4"+tt.path, tt.body, append([]string{"Content-Encoding", "gzip"}, tt.headers...)...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s: %d %.300s", tt.name, w.Code, w.Body)
		}
		if (w.Code == 415) != (w.Header().Get("Accept-Encoding") == "gzip") {
			t.Errorf("%s: %d, and what is read is %q", tt.name, w.Code, w.Header().Get("Accept-Encoding"))
		}
	}
	made := call("GET", "/fhir/R4/Binary", "")
	doc, err := fhir.Parse(made.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for e := range doc.Root().Get("entry").Items() {
		files = append(files, call("GET", "/fhir/R4/Binary/"+e.At("resource", "id").Str(), "", "Accept", "*/*").Body.String())
	}
	if len(files) != 1 || files[0] != "Chào" {
		t.Errorf("files %q", files)
	}
}

// A stranger's few bytes must not become megabytes: the guard speaks first.
func TestNothingIsUnpackedForWhoMayNotWrite(t *testing.T) {
	r, _ := recordstest.Open(t)
	call := r.Calls(t)
	bomb := packed(strings.Repeat(" ", 32<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if w := call("POST", "/fhir/R4", bomb, "Content-Encoding", "gzip", "Authorization", "Bearer bad"); w.Code != 401 {
		t.Error(w.Code)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("%d bytes were used to refuse %d", after.TotalAlloc-before.TotalAlloc, len(bomb))
	}
}

func TestAddressesTellTheirMethodsToPages(t *testing.T) {
	r, _ := recordstest.Open(t)
	call := r.Calls(t)
	for path, want := range map[string]string{
		"":                       "GET, HEAD, POST",
		"/":                      "GET, HEAD, POST",
		"/Patient":               "GET, HEAD, POST, PUT, PATCH, DELETE",
		"/Patient/1":             "GET, HEAD, PUT, PATCH, DELETE",
		"/Patient/_search":       "POST",
		"/Patient/$match":        "POST",
		"/Patient/1/$everything": "GET, HEAD, POST",
		"/Patient/1/_history/1":  "GET, HEAD",
	} {
		if w := call("OPTIONS", rest.Prefix+path, "", "Authorization", ""); w.Code != 204 || w.Header().Get("Allow") != want {
			t.Errorf("%s: %s has %s, not %s", path, strconv.Itoa(w.Code), w.Header().Get("Allow"), want)
		}
	}
}
